//! Runs every target on its corpus, and on every prefix of each entry. The corpus holds what fuzzing found
//! once, so that it stays found.

use std::path::Path;

#[test]
fn the_corpus_of_every_target_is_replayed_without_a_panic() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in ironveil_fuzz::TARGETS {
        let mut entries = 0;
        for file in std::fs::read_dir(corpus.join(name)).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            for end in 0..=bytes.len().min(4096) {
                target(&bytes[..end]);
            }
            target(&bytes);
            entries += 1;
        }
        assert!(entries > 0, "{name} has no corpus");
    }
}
