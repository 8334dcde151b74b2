#include "passes/samples.h"

namespace lapis {

SampleSource samples_of(std::vector<Feeds> feeds) {
  return [feeds = std::move(feeds), next = size_t{0}]() mutable -> Result<std::optional<Feeds>> {
    if (next == feeds.size()) return std::optional<Feeds>();
    return std::optional<Feeds>(feeds[next++]);
  };
}

}  // namespace lapis
