//! Fields of an entity that are optional or have a default need not be given.

use super::*;

#[test]
fn fields_that_are_optional_or_defaulted_need_not_be_given() {
    let mut store = store();
    let ada = order(&mut store, "ada", 1).customer(&store);
    assert_eq!(ada.city(&store), &None);
    assert_eq!(ada.credit(&store), 0);
    assert_eq!(ada.note(&store), "new");
    assert_sound(&store);
}
