//! Which of many archives to keep: the newest of so many hours, days, weeks, months, years.
//!
//! Means what `restic forget` means by the same words: each period counts only where an archive was made in it, and
//! the oldest archive stands for a period that no archive ends yet.

use std::collections::HashMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::error::{Error, Result};

/// What to keep. Without any of it nothing is kept, which [`Retention::is_empty`] tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The newest so many.
    pub last: u32,
    /// The newest of each of so many hours.
    pub hourly: u32,
    /// The newest of each of so many days.
    pub daily: u32,
    /// The newest of each of so many weeks, which begin on Monday.
    pub weekly: u32,
    /// The newest of each of so many months.
    pub monthly: u32,
    /// The newest of each of so many years.
    pub yearly: u32,
    /// All that are not older than this, counted back from the newest one.
    pub within: Option<Within>,
}

/// A length of time: years, months, days and hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Within {
    years: u16,
    months: u16,
    days: u16,
    hours: u16,
}

/// By which clock days begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// The one of this machine.
    Local,
    /// Universal time.
    Utc,
}

/// Why an archive is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// One of the newest.
    Last,
    /// The newest of an hour.
    Hourly,
    /// The newest of a day.
    Daily,
    /// The newest of a week.
    Weekly,
    /// The newest of a month.
    Monthly,
    /// The newest of a year.
    Yearly,
    /// Not older than the policy says.
    Within,
}

impl Kept {
    /// The word for it in documents and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
            Self::Within => "within",
        }
    }
}

impl Retention {
    /// Tells whether this keeps nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Says for each of these times, newest first, in seconds since 1970, why it is kept; nothing for what goes.
    #[must_use]
    pub fn keep(&self, newest_first: &[i64], zone: Zone) -> Vec<Vec<Kept>> {
        self.keep_in(newest_first, &zone.time_zone())
    }

    fn keep_in(&self, newest_first: &[i64], zone: &TimeZone) -> Vec<Vec<Kept>> {
        let local = |seconds: &i64| {
            let time = Timestamp::from_second(*seconds).unwrap_or_default();
            zone.to_datetime(time)
        };
        let times: Vec<DateTime> = newest_first.iter().map(local).collect();
        let mut kept = vec![Vec::new(); times.len()];
        if let (Some(within), Some(newest)) = (self.within, times.first()) {
            let since = within.before(*newest);
            for (time, reasons) in times.iter().zip(&mut kept) {
                if *time > since {
                    reasons.push(Kept::Within);
                }
            }
        }
        for (reason, count, period) in self.periods() {
            let mut left = count;
            let mut before = None;
            for (number, (time, reasons)) in times.iter().zip(&mut kept).enumerate() {
                let period = period(time, number);
                if left > 0 && (before != Some(period) || number + 1 == times.len()) {
                    reasons.push(reason);
                    left -= 1;
                }
                before = Some(period);
            }
        }
        kept
    }

    fn periods(&self) -> [(Kept, u32, Period); 6] {
        [
            (Kept::Last, self.last, |_, number| [i64::try_from(number).unwrap_or(i64::MAX), 0, 0, 0]),
            (Kept::Hourly, self.hourly, |time, _| {
                [time.year().into(), time.month().into(), time.day().into(), time.hour().into()]
            }),
            (Kept::Daily, self.daily, |time, _| {
                [time.year().into(), time.month().into(), time.day().into(), 0]
            }),
            (Kept::Weekly, self.weekly, |time, _| {
                let week = time.date().iso_week_date();
                [week.year().into(), week.week().into(), 0, 0]
            }),
            (Kept::Monthly, self.monthly, |time, _| [time.year().into(), time.month().into(), 0, 0]),
            (Kept::Yearly, self.yearly, |time, _| [time.year().into(), 0, 0, 0]),
        ]
    }
}

/// Names the period that a time lies in; also given its place among the newest.
type Period = fn(&DateTime, usize) -> [i64; 4];

impl Within {
    /// Parses `1y6m14d12h`: any of years, months, days and hours, each at most once.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for anything else, and for no time at all.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("`{text}` is no length of time such as `14d` or `1y6m`"));
        let mut parts: HashMap<char, u16> = HashMap::new();
        let mut digits = String::new();
        for letter in text.chars() {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            let number = digits.parse().map_err(|_| wrong())?;
            digits.clear();
            if !"ymdh".contains(letter) || parts.insert(letter, number).is_some() {
                return Err(wrong());
            }
        }
        let part = |letter| parts.get(&letter).copied().unwrap_or_default();
        let within = Self { years: part('y'), months: part('m'), days: part('d'), hours: part('h') };
        if !digits.is_empty() || within == Self::default() {
            return Err(wrong());
        }
        Ok(within)
    }

    fn before(self, time: DateTime) -> DateTime {
        // Each step saturates: before the first year there are no archives.
        let mut before = time;
        for span in [
            i64::from(self.years).years(),
            i64::from(self.months).months(),
            i64::from(self.days).days(),
            i64::from(self.hours).hours(),
        ] {
            before = before.saturating_sub(span);
        }
        before
    }
}

impl Zone {
    fn time_zone(self) -> TimeZone {
        match self {
            // A machine that does not know its zone lives by universal time.
            Self::Local => TimeZone::system(),
            Self::Utc => TimeZone::UTC,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::{TimeZone, offset};

    use super::{Kept, Retention, Within, Zone};

    const DAY: i64 = 86_400;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    /// The days of what is kept, counted back from the newest, with the reasons.
    fn kept(policy: &Retention, times: &[i64]) -> Vec<(usize, Vec<Kept>)> {
        let kept = policy.keep(times, Zone::Utc);
        kept.into_iter().enumerate().filter(|(_, reasons)| !reasons.is_empty()).collect()
    }

    fn numbers(policy: &Retention, times: &[i64]) -> Vec<usize> {
        kept(policy, times).into_iter().map(|(number, _)| number).collect()
    }

    /// Sixty days, one archive each, the newest on Sunday, 22 November 2026.
    fn sixty() -> Vec<i64> {
        let newest = at("2026-11-22T03:00:00Z");
        (0..60).map(|days| newest - days * DAY).collect()
    }

    #[test]
    fn sixty_daily_archives_keep_days_weeks_and_months() {
        let policy = Retention { daily: 7, weekly: 4, monthly: 3, ..Retention::default() };
        // Sundays 22, 15, 8 and 1 November; 31 October and 30 September end their months.
        assert_eq!(numbers(&policy, &sixty()), [0, 1, 2, 3, 4, 5, 6, 7, 14, 21, 22, 53]);
        let policy = Retention { last: 2, ..Retention::default() };
        assert_eq!(numbers(&policy, &sixty()), [0, 1]);
    }

    #[test]
    fn the_newest_of_a_period_stands_for_it() {
        let times =
            ["2026-11-22T20:00:00Z", "2026-11-22T08:00:00Z", "2026-11-21T23:59:59Z", "2026-11-21T00:00:00Z"]
                .map(at);
        let policy = Retention { daily: 2, ..Retention::default() };
        assert_eq!(kept(&policy, &times), [(0, vec![Kept::Daily]), (2, vec![Kept::Daily])]);
        // The oldest stands for the third day, of which there is none.
        let policy = Retention { daily: 3, ..Retention::default() };
        assert_eq!(numbers(&policy, &times), [0, 2, 3]);
    }

    #[test]
    fn periods_without_archives_do_not_count() {
        let times =
            ["2026-11-22T00:00:00Z", "2026-06-01T00:00:00Z", "2020-01-01T00:00:00Z", "2019-12-31T00:00:00Z"]
                .map(at);
        let policy = Retention { daily: 2, yearly: 3, ..Retention::default() };
        assert_eq!(
            kept(&policy, &times),
            [
                (0, vec![Kept::Daily, Kept::Yearly]),
                (1, vec![Kept::Daily]),
                (2, vec![Kept::Yearly]),
                (3, vec![Kept::Yearly]),
            ]
        );
    }

    #[test]
    fn a_time_is_counted_back_from_the_newest() {
        let policy = Retention { within: Some(Within::parse("14d").unwrap()), ..Retention::default() };
        assert_eq!(numbers(&policy, &sixty()), (0..14).collect::<Vec<_>>());
        let policy = Retention { within: Some(Within::parse("1m2d12h").unwrap()), ..Retention::default() };
        assert_eq!(numbers(&policy, &sixty()).len(), 34);
    }

    #[test]
    fn weeks_are_those_of_the_calendar_and_cross_years() {
        let times =
            ["2027-01-03T00:00:00Z", "2026-12-28T00:00:00Z", "2026-12-27T00:00:00Z", "2026-12-01T00:00:00Z"]
                .map(at);
        let policy = Retention { weekly: 2, ..Retention::default() };
        assert_eq!(numbers(&policy, &times), [0, 2]);
    }

    #[test]
    fn days_begin_by_the_clock_that_is_asked_for() {
        let times = ["2026-11-22T01:00:00Z", "2026-11-21T23:00:00Z", "2026-11-21T01:00:00Z"].map(at);
        let policy = Retention { daily: 1, ..Retention::default() };
        assert_eq!(policy.keep_in(&times, &TimeZone::UTC).iter().filter(|kept| !kept.is_empty()).count(), 1);
        let policy = Retention { daily: 2, ..Retention::default() };
        let places =
            |zone| policy.keep_in(&times, &zone).iter().map(|kept| !kept.is_empty()).collect::<Vec<_>>();
        assert_eq!(places(TimeZone::UTC), [true, true, false]);
        // In Berlin, the first two are of one day.
        assert_eq!(places(TimeZone::fixed(offset(1))), [true, false, true]);
    }

    #[test]
    fn lengths_of_time_are_years_months_days_and_hours() {
        assert!(Within::parse("2y5m7d3h").is_ok());
        for wrong in ["", "14", "d", "14w", "1d1d", "-1d", "0d", "1d2", "99999d"] {
            assert!(Within::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Retention::default().is_empty());
        assert!(kept(&Retention::default(), &sixty()).is_empty());
    }
}
