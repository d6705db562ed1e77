//! The control plane of a cluster: pods run on nodes, with volumes that are attached to one node at a time. When a node
//! fails, its pods are evicted and placed again. Run it with `cargo run --example control_plane`.
//!
//! All consequences are declared as immediate events, and the scheduler only chooses nodes. The model has no handler.
#![allow(missing_docs)]

use std::{error::Error, io};

use cluster::{state::*, *};
use ironweave::prelude::*;

#[rustfmt::skip] // one line for a small event: the model reads like a table
#[ironweave::model]
pub mod cluster {
    use ironweave::prelude::*;

    #[entity]
    pub struct Node {
        #[key]
        pub name: String,
        pub slots: u32,
        #[edge(on_delete = restrict)]                   // a node with pods cannot be removed
        pub pods: Many<Pod>,
        pub volumes: Many<Volume>,
    }
    #[states(Node)]
    pub enum NodeState {
        #[initial] #[to(Lost)] Ready,
        #[to(Ready)] Lost { since: Timestamp },
    }
    #[entity]
    pub struct Pod {
        #[key]
        pub name: String,
        #[inverse(Node::pods)]
        pub node: Option<Node>,
        #[edge(data = String)]                          // the mount path
        pub mounts: Many<Volume>,
    }
    #[states(Pod)]
    pub enum PodState {
        #[initial] #[to(Starting)] Pending,
        #[to(Running, Pending)] Starting,
        #[to(Pending)] Running,
    }
    #[entity]
    pub struct Volume {
        #[key]
        pub name: String,
        #[inverse(Node::volumes)]
        pub node: Option<Node>,
        #[inverse(Pod::mounts)]
        pub mounted_by: Many<Pod>,
    }
    #[states(Volume)]
    pub enum VolumeState {
        #[initial] #[to(Attaching)] Free,
        #[to(Attached, Free)] Attaching,
        #[to(Free)] Attached,
    }

    #[event]
    #[create(node: Node { name, slots })]
    pub struct NodeJoined { pub name: String, pub slots: u32 }

    #[event]
    #[create(pod: Pod { name })]
    #[link(pod.mounts += volumes { data = path })]
    pub struct PodCreated { pub name: String, pub volumes: Vec<Ensure<Volume>>, pub path: String }

    /// The volumes of the pod are attached to its node. If one is attached elsewhere, `each` rejects.
    #[event]
    #[when(any node in Ready)]
    #[guard(super::a_slot_is_free)]
    #[link(node.pods += pod)]
    #[link(node.volumes += pod.mounts)]
    #[moves(pod: Pending -> Starting)]
    #[moves(each pod.mounts: Free -> Attaching)]
    pub struct PodPlaced { pub pod: Pod, pub node: Node }

    #[event]
    #[moves(volume: Attaching -> Attached)]
    pub struct VolumeAttached { pub volume: Volume<Attaching> }

    #[event]
    #[moves(node: Ready -> Lost { since = meta.time })]
    pub struct NodeDied { pub node: Key<Node> }

    #[event]
    #[moves(node: Lost -> Ready)]
    pub struct NodeReturned { pub node: Key<Node> }

    #[event]
    #[delete(node)]
    pub struct NodeRemoved { pub node: Key<Node> }

    // The immediate events.

    #[immediate]
    #[when(all pod.mounts in Attached)]                 // holds for a pod without volumes
    #[moves(pod: Starting -> Running)]
    pub struct PodStarted { pub pod: Pod }

    #[immediate]
    #[when(any pod.node in Lost)]
    #[unlink(pod.node -= pod.node)]
    #[moves(pod: Starting | Running -> Pending)]
    pub struct PodEvicted { pub pod: Pod }

    #[immediate]
    #[when(any volume.node in Lost)]
    #[unlink(volume.node -= volume.node)]
    #[moves(volume: Attaching | Attached -> Free)]
    pub struct VolumeDetached { pub volume: Volume }
}

fn a_slot_is_free(event: &PodPlaced, db: &impl Db) -> Result<(), Reject> {
    let node = event.node;
    if node.pods_count(db) < node.slots(db) as usize {
        return Ok(());
    }
    Err(Reject::new(format!("{} is full", node.name(db))))
}

type Cluster<'a> = Transaction<'a, cluster::Model>;

/// Places each pending pod on the node with the most free slots that accepts it. Returns the number of pods that could not be placed.
fn schedule(t: &mut Cluster) -> usize {
    let free = |node: &Node, t: &Cluster| node.slots(t) as usize - node.pods_count(t);
    for pod in t.place::<Pod, Pending>() {
        let mut nodes: Vec<Node> = t.place::<Node, Ready>().map(|node| node.any()).collect();
        nodes.sort_by_key(|node| std::cmp::Reverse(free(node, t)));
        let pod = pod.any();
        // A rejected event leaves the transaction unchanged, so the next node can be tried.
        (nodes.into_iter()).find(|&node| t.apply(PodPlaced { pod, node }).is_ok());
    }
    t.count::<Pod, Pending>()
}

/// One round of the controller: places pods, and records the attached volumes.
fn round(store: &mut Store<cluster::Model>, out: &mut dyn io::Write) -> Result<(), Box<dyn Error>> {
    let mut t = store.begin();
    let unplaced = schedule(&mut t);
    for volume in t.place::<Volume, Attaching>() {
        t.apply(VolumeAttached { volume })?;
    }
    t.commit()?;
    for pod in store.place::<Pod, Any>() {
        let (name, state) = (pod.name(store), pod.state(store));
        let node = pod.node(store).map_or("no node", |node| node.name(store));
        write!(out, "  {name}: {state} on {node}")?;
        for volume in pod.mounts(store) {
            let path = pod.mounts_data(store, &volume).expect("linked");
            write!(out, ", {} at {path}", volume.name(store))?;
        }
        writeln!(out)?;
    }
    Ok(writeln!(out, "  pods without a node: {unplaced}")?)
}

pub fn run(out: &mut dyn io::Write) -> Result<(), Box<dyn Error>> {
    let mut store = Store::<cluster::Model>::memory();
    for (name, slots) in [("a", 2), ("b", 1), ("c", 1)] {
        let name = name.into();
        store.try_step(NodeJoined { name, slots })?;
    }
    for (name, volume) in [("db", Some("disk")), ("web", None), ("cron", None)] {
        store.try_step(PodCreated {
            name: name.into(),
            volumes: volume.into_iter().map(Ensure::from).collect(),
            path: "/data".into(),
        })?;
    }
    round(&mut store, out)?;
    for node in store.place::<Node, Ready>().collect::<Vec<_>>() {
        let name = node.name(&store).to_owned();
        let unplaced = store.what_if(|t| -> Result<_, StepError> {
            let node = name.as_str().into();
            t.apply(NodeDied { node })?;
            Ok(schedule(t))
        })?;
        writeln!(out, "if {name} failed, pods without a node: {unplaced}")?;
    }
    writeln!(out, "a fails")?;
    store.try_step(NodeDied { node: "a".into() })?;
    round(&mut store, out)?;
    if let Err(refused) = store.try_step(NodeRemoved { node: "b".into() }) {
        writeln!(out, "{refused}")?;
    }
    writeln!(out, "a returns")?;
    store.try_step(NodeReturned { node: "a".into() })?;
    round(&mut store, out)?;
    Ok(())
}

#[allow(dead_code)] // the test that compares the output has its own `main`
fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}
