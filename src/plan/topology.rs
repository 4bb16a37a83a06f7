//! Which databases are replicated to which, for any number of them.

/// How places are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each to the next.
    Chain,
    /// The first to every other.
    Star,
    /// Each to the next, and the last to the first.
    Ring,
    /// The first to the next so many, each of these to so many of those that follow, and so on; at least one.
    Tree(usize),
}

/// One direction between two places, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// What is read.
    pub from: usize,
    /// What is written.
    pub to: usize,
}

impl Route {
    fn new(from: usize, to: usize) -> Self {
        Self { from, to }
    }

    /// The other direction.
    #[must_use]
    pub fn back(self) -> Self {
        Self { from: self.to, to: self.from }
    }
}

/// All routes, each once: those of the shape, then those in the other direction, if `both` are wanted.
pub fn routes(places: usize, shape: Shape, both: bool) -> Vec<Route> {
    let mut routes = forward(places, shape);
    if both {
        // A ring of two is there and back by itself.
        let back: Vec<Route> = routes.iter().map(|route| route.back()).filter(|back| !routes.contains(back)).collect();
        routes.extend(back);
    }
    routes
}

/// The order in which routes are taken once each, or more than once, so that everything gets wherever the routes lead.
pub fn order(places: usize, shape: Shape, both: bool) -> Vec<Route> {
    let there = forward(places, shape);
    let back = || there.iter().rev().map(|route| route.back());
    match (shape, both) {
        (Shape::Chain | Shape::Star | Shape::Tree(_), false) => there,
        (Shape::Chain, true) => there.iter().copied().chain(back()).collect(),
        // To the middle first, the outermost before the others; then from it.
        (Shape::Star | Shape::Tree(_), true) => back().chain(there.iter().copied()).collect(),
        // A round but for its last step gathers everything, and as many steps again spread it; the other direction has
        // nothing to add.
        (Shape::Ring, _) => there.iter().copied().cycle().take(2 * places.saturating_sub(1)).collect(),
    }
}

fn forward(places: usize, shape: Shape) -> Vec<Route> {
    if places < 2 {
        return Vec::new();
    }
    let chain = (1..places).map(|to| Route::new(to - 1, to));
    match shape {
        Shape::Chain => chain.collect(),
        Shape::Star => (1..places).map(|to| Route::new(0, to)).collect(),
        Shape::Ring => chain.chain([Route::new(places - 1, 0)]).collect(),
        Shape::Tree(width) => (1..places).map(|to| Route::new((to - 1) / width.max(1), to)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(routes: &[Route]) -> String {
        routes.iter().map(|route| format!("{}{} ", route.from, route.to)).collect::<String>().trim_end().to_owned()
    }

    #[test]
    fn the_table() {
        use Shape::{Chain, Ring, Star, Tree};
        for (places, shape, both, expected, ordered) in [
            (2, Chain, false, "01", "01"),
            (2, Chain, true, "01 10", "01 10"),
            (3, Chain, false, "01 12", "01 12"),
            (3, Chain, true, "01 12 10 21", "01 12 21 10"),
            (3, Star, false, "01 02", "01 02"),
            (3, Star, true, "01 02 10 20", "20 10 01 02"),
            (2, Ring, false, "01 10", "01 10"),
            (2, Ring, true, "01 10", "01 10"),
            (3, Ring, false, "01 12 20", "01 12 20 01"),
            (3, Ring, true, "01 12 20 10 21 02", "01 12 20 01"),
            (2, Tree(2), true, "01 10", "01 10"),
            (6, Tree(2), false, "01 02 13 14 25", "01 02 13 14 25"),
            (6, Tree(2), true, "01 02 13 14 25 10 20 31 41 52", "52 41 31 20 10 01 02 13 14 25"),
            (5, Tree(3), false, "01 02 03 14", "01 02 03 14"),
            (3, Tree(1), false, "01 12", "01 12"),
            (3, Tree(0), false, "01 12", "01 12"),
            (3, Tree(9), false, "01 02", "01 02"),
            (1, Tree(2), true, "", ""),
            (1, Chain, true, "", ""),
            (0, Ring, true, "", ""),
        ] {
            let all = routes(places, shape, both);
            assert_eq!(text(&all), expected, "{places} {shape:?} {both}");
            let order = order(places, shape, both);
            assert_eq!(text(&order), ordered, "{places} {shape:?} {both}");
        }
    }

    /// What is at each place after the routes were taken in order, when each place had something of its own.
    fn spread(places: usize, order: &[Route]) -> Vec<Vec<bool>> {
        let mut has: Vec<Vec<bool>> = (0..places).map(|own| (0..places).map(|other| own == other).collect()).collect();
        for route in order {
            let source = has[route.from].clone();
            has[route.to].iter_mut().zip(source).for_each(|(own, other)| *own |= other);
        }
        has
    }

    #[test]
    fn everything_gets_wherever_the_routes_lead() {
        for places in 0..9 {
            for shape in [Shape::Chain, Shape::Star, Shape::Ring, Shape::Tree(2), Shape::Tree(3)] {
                for both in [false, true] {
                    let routes = routes(places, shape, both);
                    let order = order(places, shape, both);
                    assert!(order.iter().all(|route| routes.contains(route)), "{places} {shape:?} {both}");
                    let endless: Vec<Route> = routes.iter().copied().cycle().take(routes.len() * places).collect();
                    assert_eq!(spread(places, &order), spread(places, &endless), "{places} {shape:?} {both}");
                }
            }
        }
    }
}
