#include "passes/samples.h"

namespace lapis {

SampleSource samples_of(std::vector<Feeds> feeds) {
  return [feeds = std::move(feeds)](int64_t index) -> Result<std::optional<Feeds>> {
    if (index >= static_cast<int64_t>(feeds.size())) return std::optional<Feeds>();
    return std::optional<Feeds>(feeds[static_cast<size_t>(index)]);
  };
}

}  // namespace lapis
