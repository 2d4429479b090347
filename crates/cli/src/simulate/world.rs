//! Cli, simulator: the shop as it is, with the true effect of every flag's variant. Everything that a
//! test may hold an answer of Bellwether against is a constant here.

/// When a visitor meets a flag: an SDK sends the exposure then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    /// At the beginning of every session.
    Visit,
    /// At the first item that is looked at.
    Item,
    /// When the checkout begins.
    Checkout,
    /// Its variants are not compared.
    Never,
}

/// What a variant truly does, beyond the shop's base rates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    /// Its key.
    pub(crate) key: &'static str,
    /// Added to the probability that a checkout ends in a purchase.
    pub(crate) purchase: f64,
    /// The value of an order is multiplied by it.
    pub(crate) order: f64,
    /// Added to the probability that a session meets an error.
    pub(crate) error: f64,
}

const fn plain(key: &'static str) -> Variant {
    Variant { key, purchase: 0.0, order: 1.0, error: 0.0 }
}

/// A flag that the shop's code asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    /// Its key.
    pub(crate) key: &'static str,
    /// Where it is met.
    pub(crate) met: Met,
    /// Its variants.
    pub(crate) variants: &'static [Variant],
}

/// Every flag that the shop's code asks for.
pub(crate) const FLAGS: [Flag; 7] = [
    Flag {
        key: "one-page-checkout",
        met: Met::Checkout,
        variants: &[
            plain("control"),
            Variant { key: "treatment", purchase: 0.1, order: 1.0, error: 0.0 },
            plain("off"),
        ],
    },
    Flag {
        key: "recommendations",
        met: Met::Item,
        variants: &[
            plain("control"),
            Variant { key: "personal", purchase: 0.0, order: 1.1, error: 0.0 },
            Variant { key: "popular", purchase: 0.0, order: 1.03, error: 0.0 },
            plain("off"),
        ],
    },
    Flag {
        key: "payment-sheet",
        met: Met::Checkout,
        variants: &[plain("classic"), Variant { key: "sheet", purchase: -0.18, order: 1.0, error: 0.0 }],
    },
    Flag { key: "image-cdn", met: Met::Visit, variants: &[plain("origin"), plain("cdn")] },
    Flag {
        key: "home-hero",
        met: Met::Never,
        variants: &[plain("collection"), plain("sale"), plain("arrivals"), plain("off")],
    },
    Flag { key: "support-chat", met: Met::Never, variants: &[plain("on"), plain("off")] },
    Flag { key: "dark-mode", met: Met::Never, variants: &[plain("on"), plain("off")] },
];

/// The probability that a checkout ends in a purchase, before any flag, by plan.
pub(crate) const PURCHASE: [f64; 4] = [0.38, 0.44, 0.50, 0.52];
/// The probability that a session with items ends up with one in the cart, by plan.
pub(crate) const CART: [f64; 4] = [0.26, 0.36, 0.42, 0.42];
/// The probability that a cart goes to the checkout.
pub(crate) const CHECKOUT: f64 = 0.68;
/// The probability that a session meets an error.
pub(crate) const ERROR: f64 = 0.015;
/// The probability that a guest signs up in a session.
pub(crate) const SIGN_UP: f64 = 0.16;
/// The probability that a new account is activated in the session in which it is made.
pub(crate) const ACTIVATE: f64 = 0.55;
/// Median and sigma of the log-normal value of an order in euros: a heavy tail.
pub(crate) const ORDER: (f64, f64) = (34.0, 0.75);
/// How many visitors of a hundred are bots.
pub(crate) const BOTS: f64 = 0.01;
/// How many events of a hundred are sent again, because the shop did not hear that they had arrived.
pub(crate) const RETRIES: f64 = 0.004;
/// Events per visitor who comes in the simulated stretch, without exposures and assignments. Measured;
/// a test holds it to 5%.
pub(crate) const EVENTS_PER_VISITOR: f64 = 11.9;
/// Exposures and assignments per visitor over the 90 days of the story. Measured.
pub(crate) const FLAG_EVENTS_PER_VISITOR: f64 = 1.9;

/// Plans; the first is that of somebody without an account.
pub(crate) const PLANS: [&str; 4] = ["guest", "free", "pro", "team"];
/// How often each plan is chosen at sign-up.
pub(crate) const PLAN_WEIGHTS: [f64; 4] = [0.0, 0.74, 0.2, 0.06];
/// Countries.
pub(crate) const COUNTRIES: [&str; 8] =
    ["Germany", "United States", "France", "United Kingdom", "Brazil", "India", "Japan", "Sweden"];
/// How many of the visitors come from each.
pub(crate) const COUNTRY_WEIGHTS: [f64; 8] = [0.26, 0.22, 0.13, 0.12, 0.09, 0.08, 0.06, 0.04];
/// Platforms.
pub(crate) const PLATFORMS: [&str; 3] = ["Web", "iOS", "Android"];
/// How many of the visitors use each.
pub(crate) const PLATFORM_WEIGHTS: [f64; 3] = [0.52, 0.27, 0.21];
/// Where visits come from.
pub(crate) const SOURCES: [&str; 5] = ["direct", "search", "newsletter", "social", "ad"];
/// How many come from each.
pub(crate) const SOURCE_WEIGHTS: [f64; 5] = [0.34, 0.3, 0.12, 0.14, 0.1];
/// What the shop sells.
pub(crate) const CATEGORIES: [&str; 6] = ["shoes", "jackets", "bags", "books", "home", "toys"];
/// How often each is looked at.
pub(crate) const CATEGORY_WEIGHTS: [f64; 6] = [0.27, 0.2, 0.16, 0.15, 0.13, 0.09];
/// How orders are paid.
pub(crate) const PAYMENTS: [&str; 3] = ["card", "paypal", "invoice"];
/// How many are paid with each.
pub(crate) const PAYMENT_WEIGHTS: [f64; 3] = [0.55, 0.33, 0.12];
/// What breaks.
pub(crate) const ERRORS: [&str; 3] = ["image did not load", "request timed out", "script error"];
/// How often each does.
pub(crate) const ERROR_WEIGHTS: [f64; 3] = [0.5, 0.3, 0.2];

/// The browser or app of each platform.
pub(crate) const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
    "Shop/4.2.0 (iPhone; iOS 19.1)",
    "Shop/4.2.0 (Pixel 9; Android 16)",
];
/// A bot of each kind.
pub(crate) const BOT_AGENTS: [&str; 3] = [
    "Mozilla/5.0 (compatible; PriceCrawlerBot/2.1; +https://crawler.example/bot)",
    "Mozilla/5.0 (compatible; SearchSpider/1.0; +https://search.example/spider)",
    "python-requests/2.33",
];

/// More on weekends, Monday first; the mean is 1.
pub(crate) const WEEK: [f64; 7] = [0.95, 0.92, 0.93, 0.97, 1.03, 1.14, 1.06];
/// How much more of a day comes at its best hour, of the mean.
pub(crate) const SWING: f64 = 0.8;
/// The best hour, UTC.
pub(crate) const BEST_HOUR: f64 = 19.0;
/// New visitors at the beginning and at the end of the stretch, of the mean.
pub(crate) const GROWTH: (f64, f64) = (0.75, 1.25);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_chances_under_every_combination_of_variants() {
        let extreme = |worst: fn(f64, f64) -> f64, of: fn(&Variant) -> f64| -> f64 {
            FLAGS.iter().map(|f| f.variants.iter().map(of).fold(0.0, worst)).sum()
        };
        let (low, high) = (extreme(f64::min, |v| v.purchase), extreme(f64::max, |v| v.purchase));
        for base in PURCHASE {
            assert!(base + low > 0.0 && base + high < 1.0);
        }
        assert!(ERROR + extreme(f64::min, |v| v.error) >= 0.0);
        let mean = WEEK.iter().sum::<f64>() / 7.0;
        assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    }
}
