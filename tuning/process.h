// A program of the user's that answers questions, a line of JSON each way on its standard input and output. What it
// writes to standard error is the user's to see. It may throw, end or hang: each is an error that says so, and it never
// takes longer than its limit.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"

namespace lapis {

class Process {
 public:
  // `where` is for messages; `seconds` is the limit of one answer.
  static Result<std::shared_ptr<Process>> start(const std::vector<std::string>& command, const std::string& where,
                                                double seconds);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();  // ends it and what it has started

  // Sends one line and waits for one. From several threads, one after the other.
  Result<std::string> ask(const std::string& line);

 private:
  Process(std::vector<std::string> command, std::string where, double seconds)
      : command_(std::move(command)), where_(std::move(where)), seconds_(seconds) {}
  Diagnostic failed(const std::string& what) const;
  Diagnostic ended();
  Status launch();
  Status exchange(std::string_view rest, std::chrono::steady_clock::time_point deadline);

  std::vector<std::string> command_;
  std::string where_;
  double seconds_;
  int socket_ = -1;
  int pid_ = -1;
  std::string received_;
  std::mutex mutex_;
};

}  // namespace lapis
