#pragma once

#include <string>
#include <string_view>

#include "harness/host/pool_types.hpp"

namespace poolproof::host {

/// The statistics as Prometheus reads them (text exposition format 0.0.4, to be served as
/// `text/plain; version=0.0.4`): counters, gauges by state, and the histograms of wait, use and
/// start in seconds. With a name each sample carries it as the label `pool`, which tells one pool
/// from another: any UTF-8. Several pools go to several pages, or each family would stand twice.
std::string prometheus_text(const Statistics& statistics, std::string_view pool_name = {});

}  // namespace poolproof::host
