// A peer runtime in its own process, timed on demand: benchmarks/peers.py speaks one line a request.
#pragma once

#include <cstdio>

#include "base/result.h"
#include "tools/lapis/verb.h"

namespace lapis::cli {

class Peer {
 public:
  static Result<std::unique_ptr<Peer>> start(const std::string& runtime, const std::string& model,
                                             const std::vector<std::string>& dims,
                                             const std::vector<std::string>& shapes, int threads, int cpu);
  ~Peer();
  Peer(const Peer&) = delete;

  Result<std::vector<double>> time_runs(int count);  // milliseconds

 private:
  Peer() = default;
  std::string name_;
  int pid_ = -1;
  std::FILE* requests_ = nullptr;
  std::FILE* replies_ = nullptr;
};

}  // namespace lapis::cli
