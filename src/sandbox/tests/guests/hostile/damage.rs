//! Components that were cut or changed on their way: looked at, loaded and, where they load, asked.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use playwarden_event::Json;
use playwarden_sandbox::{Grants, Limits, Survey};

use super::written::{Checker, Lab, MEMORY, starter};
use crate::support::{Project, block_on, events, guest};

/// What seems random and is the same each time: an xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// Loads what is left of a component and asks it everything, with little patience; whether it could be loaded.
async fn tried(lab: &Lab, project: &Project, bytes: &[u8]) -> bool {
    let _survey = Survey::of(bytes);
    let Ok(plugin) = lab.bytes(bytes).await else { return false };
    let limits = Limits { call: Duration::from_millis(50), finish: Duration::from_millis(50), ..Limits::default() };
    // What it says does not matter here, only that there is an end to it.
    drop(plugin.schema(limits).await);
    drop(plugin.check(&Json::default(), limits, &Grants::default()).await);
    let setup = project.setup(1, BTreeMap::new());
    if let Ok(mut instance) = plugin.start(playwarden_sandbox::Setup { limits, ..setup }).await {
        drop(instance.evaluate(&events(1..=3), playwarden_event::Totals::default()).await);
        drop(instance.on_events(&events(1..=3)).await);
        drop(instance.stop().await);
    }
    true
}

#[test]
fn what_was_cut_is_not_loaded() {
    block_on(async {
        let lab = Lab::new();
        let project = Project::new(serde_json::json!({}));
        let whole = wat::parse_str(Checker::default().text()).unwrap();
        let exports = Survey::of(&whole).exports;
        for length in 0..whole.len() {
            let is_loaded = tried(&lab, &project, &whole[..length]).await;
            // Without its last sections it may be a component: one that offers nothing, or only lacks names for people.
            let offered = Survey::of(&whole[..length]).exports;
            assert!(!is_loaded || offered.is_empty() || offered == exports, "{length}: {offered:?}");
        }
        let real = fs::read(guest("verdict_table")).unwrap();
        for step in 1..64 {
            let _is_loaded = tried(&lab, &project, &real[..real.len() * step / 64]).await;
        }
        lab.still_serves().await;
    });
}

#[test]
fn what_was_changed_harms_nobody() {
    block_on(async {
        let lab = Lab::new();
        let project = Project::new(serde_json::json!({}));
        let mut chance = Chance(0x2026_1123_4711_0815);
        let small = [
            wat::parse_str(Checker::default().text()).unwrap(),
            wat::parse_str(starter(MEMORY, "i32.const 1024", "i32.const 0")).unwrap(),
        ];
        let mut loaded = 0;
        for round in 0..1500 {
            let mut bytes = small[round % 2].clone();
            for _ in 0..=chance.below(3) {
                let at = chance.below(bytes.len());
                bytes[at] =
                    if chance.below(2) == 0 { bytes[at] ^ (1 << chance.below(8)) } else { chance.below(256) as u8 };
            }
            loaded += usize::from(tried(&lab, &project, &bytes).await);
        }
        assert!((50..1000).contains(&loaded), "{loaded} were tried, which shows nothing");
        // Behind the first sections, which decide whether it is one at all.
        let real = fs::read(guest("verdict_table")).unwrap();
        let mut loaded = 0;
        for _ in 0..12 {
            let mut bytes = real.clone();
            let at = real.len() / 4 + chance.below(real.len() / 2);
            bytes[at] ^= 1 << chance.below(8);
            loaded += usize::from(tried(&lab, &project, &bytes).await);
        }
        assert!(loaded < 12);
        lab.still_serves().await;
    });
}
