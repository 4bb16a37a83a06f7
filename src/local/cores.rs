//! Work on many things on all cores.

use std::sync::{Mutex, PoisonError};

/// Hashing and compressing are bound by cores, and reading by the disk: more threads than this only make a disk seek.
const MAX_THREADS: usize = 8;

/// What `work` gives for each of `items`, in their order; several at a time. Blocks.
pub fn on_all_cores<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = cores.min(MAX_THREADS).min(items.len());
    let queue = Mutex::new(items.into_iter().enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let labour = || {
        let mut done = Vec::new();
        while let Some((index, item)) = next() {
            done.push((index, work(item)));
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(labour)).collect();
        let mut done = labour();
        for helper in helpers {
            match helper.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_are_in_order() {
        let squares = on_all_cores((0..1000_u64).collect(), |number| number * number);
        assert_eq!(squares, (0..1000).map(|number| number * number).collect::<Vec<u64>>());
        assert!(on_all_cores(Vec::<u8>::new(), |byte| byte).is_empty());
    }
}
