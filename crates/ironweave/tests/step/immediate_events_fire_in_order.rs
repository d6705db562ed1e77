//! Immediate events fire in the order of their declaration, and a cycle of them is stopped.

use ironweave::LoopLimit;
use ironweave::prelude::*;

use crate::harness::assert_consistent;

#[ironweave::model]
pub mod chase {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ball {
        pub nearby: Many<Ball>,
        #[inverse(Ball::nearby)]
        pub near_to: Many<Ball>,
    }
    #[states(Ball)]
    pub enum BallState {
        #[initial]
        #[to(Left)]
        Still,
        #[to(Right, Caught)]
        Left,
        #[to(Left)]
        Right,
        #[terminal]
        Caught,
    }

    #[event]
    #[create(ball: Ball)]
    pub struct Made {}

    #[event]
    #[link(ball.nearby += near)]
    #[moves(ball: Still -> Left)]
    pub struct Kicked {
        pub ball: Ball,
        pub near: Vec<Ball>,
    }

    #[immediate]
    #[when(any ball.nearby in Still)]
    #[moves(ball: Left -> Caught)]
    pub struct CaughtAtOnce {
        pub ball: Ball,
    }

    #[immediate]
    #[when(any ball.nearby in Left | Right)]
    #[moves(ball: Left -> Right)]
    pub struct BouncedRight {
        pub ball: Ball,
    }

    #[immediate]
    #[when(any ball.nearby in Left | Right)]
    #[moves(ball: Right -> Left)]
    pub struct BouncedLeft {
        pub ball: Ball,
    }
}

#[test]
fn a_cycle_of_immediate_events_is_stopped_and_named() {
    use chase::{Kicked, Made};
    let mut store = Store::<chase::Model>::paranoid();
    let balls: Vec<_> = (0..2).map(|_| store.step(Made {}).created.ball).collect();
    store.step(Kicked {
        ball: balls[0],
        near: vec![],
    });
    let print = store.fingerprint();
    let e = store
        .try_step(Kicked {
            ball: balls[1],
            near: vec![balls[0]],
        })
        .map(|_| ())
        .expect_err("endless");
    let text = "Kicked → BouncedRight → BouncedLeft → BouncedRight → ...: these immediate events enable each other in a cycle; on \
                Ball/1.1 the last has fired 64 times in this step, which is the limit; let their conditions exclude each other, or raise \
                `Options::firings_max`";
    assert_eq!(e.to_string(), text);
    assert_eq!(store.fingerprint(), print);
    assert_consistent(&store);
    // Another limit.
    for limit in [0, 3, 500] {
        let mut store = Store::<chase::Model>::options().firings_max(limit).memory();
        let balls: Vec<_> = (0..2).map(|_| store.step(Made {}).created.ball).collect();
        let kicked = |ball, near| Kicked { ball, near };
        store.step(kicked(balls[0], vec![]));
        let error = store.try_step(kicked(balls[1], vec![balls[0]]));
        let Err(StepError::Loop { limit: reached, .. }) = error else {
            panic!("endless")
        };
        assert_eq!(reached, LoopLimit::Firings(limit));
    }
}

#[test]
fn of_two_enabled_immediate_events_the_one_declared_first_fires() {
    use chase::state::Caught;
    use chase::{Ball, Kicked, Made};
    let mut store = Store::<chase::Model>::paranoid();
    let balls: Vec<_> = (0..3).map(|_| store.step(Made {}).created.ball).collect();
    store.step(Kicked {
        ball: balls[0],
        near: vec![],
    });
    store.step(Kicked {
        ball: balls[1],
        near: vec![balls[0], balls[2]],
    });
    assert_eq!(
        store
            .place::<Ball, Caught>()
            .map(|b| b.any())
            .collect::<Vec<_>>(),
        [balls[1]]
    );
    let last = store
        .frames(0)
        .expect("a log")
        .last()
        .expect("a frame")
        .expect("read");
    let fired: Vec<(&str, bool)> = last
        .firings()
        .map(|f| (f.name(), f.is_immediate()))
        .collect();
    assert_eq!(fired, [("Kicked", false), ("CaughtAtOnce", true)]);
    assert_eq!(
        last.firings().nth(1).expect("two fired").to_string(),
        "CaughtAtOnce { ball: Ball/1.1 } => move Ball/1.1 Left -> Caught"
    );
}
