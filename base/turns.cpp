#include "base/turns.h"

namespace lapis {

Turns::Turn Turns::take(const std::string& key) {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] { return !taken_.contains(key); });
  taken_.insert(key);
  return {*this, key};
}

Turns::Turn::~Turn() {
  const std::scoped_lock lock(turns_.mutex_);
  turns_.taken_.erase(key_);
  turns_.ended_.notify_all();
}

}  // namespace lapis
