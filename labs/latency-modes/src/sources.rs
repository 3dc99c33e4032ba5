//! The sources of the lab's claims.

use lab_kit::Source;

pub(crate) const ALL: &[&Source] = &[
    &LATENCY_2010,
    &TRACE2HEATMAP,
    &UTILISATION,
    &OUTLIERS,
    &MODES,
    &TRAILS,
    &CATALOGUE,
    &BROOKER_2022,
    &BROOKER_2026,
];

pub(crate) const LATENCY_2010: Source = Source {
    short: "Gregg, latency 2010",
    title: "B. Gregg, Visualizing System Latency, ACM Queue 8(5), 2010",
    link: "https://queue.acm.org/detail.cfm?id=1809426",
};

pub(crate) const TRACE2HEATMAP: Source = Source {
    short: "Gregg, trace2heatmap",
    title: "B. Gregg, trace2heatmap.pl, 2013",
    link: "https://github.com/brendangregg/HeatMap",
};

pub(crate) const UTILISATION: Source = Source {
    short: "Gregg, utilization",
    title: "B. Gregg, Utilization Heat Maps",
    link: "https://www.brendangregg.com/HeatMaps/utilization.html",
};

pub(crate) const OUTLIERS: Source = Source {
    short: "Gregg, outliers 2013",
    title: "B. Gregg, Frequency Trails: Detecting Outliers, 2013",
    link: "https://www.brendangregg.com/FrequencyTrails/outliers.html",
};

pub(crate) const MODES: Source = Source {
    short: "Gregg, modes 2013",
    title: "B. Gregg, Frequency Trails: Modes and Modality, 2013",
    link: "https://www.brendangregg.com/FrequencyTrails/modes.html",
};

pub(crate) const TRAILS: Source = Source {
    short: "Gregg, frequencytrail.r",
    title: "B. Gregg, PerfModels, frequencytrail.r, 2013",
    link: "https://github.com/brendangregg/PerfModels",
};

pub(crate) const CATALOGUE: Source = Source {
    short: "Gregg, da-libsynth.r",
    title: "B. Gregg, PerfModels, da/da-libsynth.r, 2013",
    link: "https://github.com/brendangregg/PerfModels/tree/master/da",
};

pub(crate) const BROOKER_2022: Source = Source {
    short: "Brooker 2022",
    title: "M. Brooker, Histogram vs eCDF, 2 September 2022",
    link: "https://brooker.co.za/blog/2022/09/02/ecdf.html",
};

pub(crate) const BROOKER_2026: Source = Source {
    short: "Brooker 2026",
    title: "M. Brooker, Meet Alice. Alice is impatient, 19 June 2026",
    link: "https://brooker.co.za/blog/2026/06/19/waiting.html",
};
