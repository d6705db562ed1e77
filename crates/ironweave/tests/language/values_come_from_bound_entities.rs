//! An arc takes values from fields of the bound entities, as they were before any arc acted.

use super::*;

#[test]
fn values_come_from_fields_of_bound_entities_as_they_were() {
    let mut store = store();
    let screw = {
        order(&mut store, "ada", 1);
        line(&mut store, 1, "screw", 1)
    };
    line(&mut store, 1, "nail", 1);
    let packed = store.step(Packing { line: screw }).bound.line;
    assert_eq!(packed.by(&store), "screw");
    let (a, b) = (
        order(&mut store, "bob", 2).customer(&store),
        order(&mut store, "eve", 3).customer(&store),
    );
    let order = order(&mut store, "bob", 4);
    store.step(Handled {
        order,
        what: "ensure".into(),
    });
    let ada = store.find::<Customer>("ada").expect("ensured");
    assert_eq!(ada.note(&store), "seen");
    store.step(NotesSwapped { a: ada, b });
    assert_eq!((ada.note(&store), b.note(&store)), ("new", "seen"));
    assert_eq!(a.note(&store), "new");
    assert_sound(&store);
}
