// Models whose shapes are not fixed: an Executable for each combination of input shapes, from somebody who can make
// them, and sessions that run whatever shape comes.
//
//   FlexibleSession session(family, {.threads = 2});
//   LAPIS_TRY(auto outputs, session.run({ids, mask}));   // of any length that the family serves
#pragma once

#include <list>

#include "runtime/executable.h"

namespace lapis {

// Extents that are not fixed.
inline constexpr int64_t kFree = -1;
bool fits(const Shape& shape, const Shape& wanted);

class ExecutableFamily {
 public:
  virtual ~ExecutableFamily() = default;
  // As far as they are fixed: kFree stands for any extent.
  virtual const std::vector<IoInfo>& inputs() const = 0;
  virtual const std::vector<IoInfo>& outputs() const = 0;
  // For inputs of these shapes, in order; safe to call from any number of threads,
  // which wait for the one that makes what they ask for. Errors: ErrorKind::Mismatch for shapes that the model does not
  // take or that are out of range.
  virtual Result<Executable> at(const std::vector<Shape>& shapes) = 0;
};

// What one caller needs: a session for each shape that came lately, on the same threads and in the same working memory.
class FlexibleSession {
 public:
  // Errors: those of Executable::session, when it first runs.
  static Result<FlexibleSession> make(std::shared_ptr<ExecutableFamily> family, const SessionOptions& options);

  // Tensors in the order of the model's inputs. Errors: those of the family and of Session::run.
  Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs);
  // The session for inputs of these shapes; it stays valid until the next call.
  Result<Session*> session(const std::vector<Shape>& shapes);
  const ExecutableFamily& family() const { return *family_; }

 private:
  static constexpr size_t kMostSessions = 32;
  struct Known {
    std::vector<Shape> shapes;
    Session session;
  };
  FlexibleSession(std::shared_ptr<ExecutableFamily> family, SessionOptions options)
      : occupancy_(std::make_unique<Occupancy>()), family_(std::move(family)), options_(std::move(options)) {}

  std::unique_ptr<Occupancy> occupancy_;
  std::shared_ptr<ExecutableFamily> family_;
  SessionOptions options_;
  std::list<Known> sessions_;  // the one that ran last in front
};

}  // namespace lapis
