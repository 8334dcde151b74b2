// Turns: threads that want the same thing made take turns.
// One makes it, those who waited find it made; who wants something else waits for nobody.
//
//   if (auto known = find(key)) return known;
//   const Turns::Turn turn = turns.take(key);   // waits while another thread has a turn of this key
//   if (auto known = find(key)) return known;   // it has made it meanwhile
//   return store(key, make());
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <unordered_set>

namespace lapis {

class Turns {
 public:
  // Ends when it goes, whether anything was made or not: if not, the next one tries.
  class [[nodiscard]] Turn {
   public:
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();

   private:
    friend class Turns;
    Turn(Turns& turns, std::string key) : turns_(turns), key_(std::move(key)) {}
    Turns& turns_;
    const std::string key_;
  };

  // A thread must not take a turn of a key while it has one of another, or two could wait for each other.
  Turn take(const std::string& key);

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::unordered_set<std::string> taken_;
};

}  // namespace lapis
