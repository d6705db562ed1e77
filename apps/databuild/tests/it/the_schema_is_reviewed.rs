//! A change of the model is reviewed together with what it means for existing stores.

use databuild::model::build;

#[test]
fn the_schema_is_the_committed_one() {
    ironweave::assert_compatible!(build::Model, "schema.json");
}
