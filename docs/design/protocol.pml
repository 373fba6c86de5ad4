// SPDX-License-Identifier: Apache-2.0
// The protocol between operator, workers, Kafka and the checkpoint store, as a Promela model: whole
// switches, restarts within a generation, epochs, clean-up, and the hand-over of single units while
// the rest runs. 0004-model.md maps it to the code and says what is left out; `make model` checks it.
//
// Units are what is placed (source partitions, shards). An ordinal's two transactional ids are one
// here: commit.pml shows that taking over a, b, a fences both. M_* macros are mutations of the
// design; each of them must make the check fail.

#ifndef GENS
#define GENS 3      // generations; names of objects have two bits for them
#endif
#ifndef MAXOFF
#define MAXOFF 2    // records of a unit
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0  // transactions that Kafka gives up
#endif
#ifndef STALE
#define STALE 1     // assignments handed out by an operator that lags behind
#endif
#ifndef ORDS
#define ORDS 2
#endif
#ifndef UNITS
#define UNITS 2
#endif
#ifndef FIRST
#define FIRST 1     // replicas of generation 1
#endif
#ifndef ZOMBIE
#define ZOMBIE 0    // the ordinal that has a second process for one life
#endif
#define PROCS (ORDS + 1)

#define OWNER(plan, u) (((u) * (plan)) / UNITS)  // contiguous ranges, as worker/types/key_group.h
#define IN(mask, u) (((mask) >> (u)) & 1)
#define AT(i, u) ((i) * UNITS + (u))

// Names of objects: generation, ordinal, epoch. 0: none yet.
#define NAME(g, o, e) (((g) << 6) | ((o) << 4) | (e))
#define GEN_OF(n) ((n) >> 6)
#define ORD_OF(n) (((n) >> 4) & 3)
#define EPOCH_OF(n) ((n) & 15)
#define LOST 255    // in place of a name: the object is not there

// --- the StreamJob's status: the newest generation, and what was ever said of each ----------------
byte num = 1;
byte plan[GENS + 2];     // replicas
bool hand[GENS + 2];     // prepared as a hand-over
bool started[GENS + 2];  // START is given
bool settled[GENS + 2];  // and a hand-over has come to its end

// --- what workers report ---------------------------------------------------------------------------
bool fenced[ORDS];       // all ids of generation num taken over
bool runs[ORDS];         // in generation num, with all its units

// --- Kafka: committed offsets with metadata; one transaction an ordinal ---------------------------
byte off[UNITS];
byte newest[UNITS];      // the object the metadata names
byte base[UNITS];        // the oldest object its footer refers to for this unit
byte mark[UNITS];        // the release mark: the generation it is given to
byte tx_units[ORDS];     // not 0: offsets sent, EndTxn under way
byte tx_given[ORDS];
byte tx_to[ORDS];        // the generation they are released to
byte tx_object[ORDS];
byte tx_from[ORDS * UNITS];
byte tx_before[ORDS * UNITS];
byte tx_base[ORDS * UNITS];

// --- workers' memory (global so that clean-up can see what refers to an object) -------------------
byte ord[PROCS];
bool valid[PROCS];       // holds the newest producer epoch of its ordinal
byte pos[PROCS * UNITS];
byte mem_newest[PROCS * UNITS];
byte mem_base[PROCS * UNITS];

byte crashes = CRASHES;
byte stale = STALE;
byte timeouts = TIMEOUTS;

inline Forget(o) {       // the transaction is no more
  tx_units[o] = 0; tx_given[o] = 0; tx_to[o] = 0; tx_object[o] = 0;
  for (v : 0 .. UNITS - 1) {
    tx_from[AT(o, v)] = 0; tx_before[AT(o, v)] = 0; tx_base[AT(o, v)] = 0;
  }
  v = 0
}

// init_transactions: aborts what is open, fences every holder of the id.
inline Fence(i) {
#ifdef M_NO_FENCE
  skip
#else
  Forget(i);
  for (v : 0 .. PROCS - 1) {
    if
    :: ord[v] == i -> valid[v] = false
    :: else
    fi
  }
  v = 0
#endif
}

// A transaction of ordinal `i` is decided: all of it becomes visible at once.
inline Commit(i) {
  for (u : 0 .. UNITS - 1) {
    if
    :: IN(tx_units[i], u) ->
       // Exactly once: the step starts where the unit is, from the state that is committed.
       assert(off[u] == tx_from[AT(i, u)]);
       assert(newest[u] == tx_before[AT(i, u)]);
       assert(tx_base[AT(i, u)] != LOST);
       if
       :: off[u] < MAXOFF -> off[u]++
       :: else
       fi;
       newest[u] = tx_object[i];
       base[u] = tx_base[AT(i, u)];
       mark[u] = (IN(tx_given[i], u) -> tx_to[i] : 0)
    :: else
    fi
  }
  Forget(i);
  u = 0
}

proctype Kafka() {
  byte o, u, v;
  do
  :: d_step { tx_units[0] -> Commit(0) }
  :: d_step { tx_units[1] -> Commit(1) }
#if ORDS > 2
  :: d_step { tx_units[2] -> Commit(2) }
#endif
  :: d_step {  // a transaction that Kafka gives up: aborted, its producer fenced
       timeouts > 0 && (tx_units[0] || tx_units[1] || tx_units[ORDS - 1]);
       timeouts--;
       o = 0;
       do
       :: tx_units[o] -> break
       :: else -> o++
       od;
       Forget(o);
       for (v : 0 .. PROCS - 1) {
         if
         :: ord[v] == o -> valid[v] = false
         :: else
         fi
       }
       v = 0; o = 0
     }
  od
}

#define PENDING(u) (IN(tx_units[0], u) || IN(tx_units[1], u) || IN(tx_units[ORDS - 1], u))
#define DRAINS (num > gen && !(hand[gen + 1] && num == gen + 1))

// What a read of unit `u` gives.
inline Take(u) {
  assert(newest[u] != LOST && base[u] != LOST);
  pos[AT(p, u)] = off[u];
  mem_newest[AT(p, u)] = newest[u];
  mem_base[AT(p, u)] = base[u]
}

// Starts the end of an epoch: PUT, offsets, EndTxn. `give`: units released to generation gen + 1.
inline Send(give) {
  d_step {
    e = 0;
    for (u : 0 .. UNITS - 1) {
      if
      :: IN(mask, u) && EPOCH_OF(mem_newest[AT(p, u)]) > e -> e = EPOCH_OF(mem_newest[AT(p, u)])
      :: else
      fi
    }
    e++;
    tx_units[ord[p]] = mask;
    tx_given[ord[p]] = give;
    tx_to[ord[p]] = (give -> gen + 1 : 0);
#ifdef M_COMMIT_BEFORE_UPLOAD
    tx_object[ord[p]] = LOST;
#else
    tx_object[ord[p]] = NAME(born, ord[p], e);
#endif
    for (u : 0 .. UNITS - 1) {
      if
      :: IN(mask, u) ->
         tx_from[AT(ord[p], u)] = pos[AT(p, u)];
         tx_before[AT(ord[p], u)] = mem_newest[AT(p, u)];
         // The first object of the chain stays, or the chain is merged into the new one.
         tx_base[AT(ord[p], u)] =
             (((e & 1) == 0 || mem_base[AT(p, u)] == 0) -> NAME(born, ord[p], e) : mem_base[AT(p, u)])
      :: else
      fi
    }
    u = 0
  }
}

// The commit was acknowledged.
inline Confirm() {
  for (u : 0 .. UNITS - 1) {
    if
    :: IN(mask, u) ->
       mem_newest[AT(p, u)] = NAME(born, ord[p], e);
       if
       :: (e & 1) == 0 || mem_base[AT(p, u)] == 0 -> mem_base[AT(p, u)] = NAME(born, ord[p], e)
       :: else
       fi;
       if
       :: pos[AT(p, u)] < MAXOFF -> pos[AT(p, u)]++
       :: else
       fi;
#ifdef M_COMMIT_BEFORE_UPLOAD
       if
       :: newest[u] == LOST -> newest[u] = NAME(born, ord[p], e)
       :: else
       fi;
#endif
#ifdef M_GC_GIVEN
       if
       :: IN(given, u) -> mem_newest[AT(p, u)] = 0; mem_base[AT(p, u)] = 0
       :: else
       fi;
#endif
       if
       :: IN(given, u) -> pos[AT(p, u)] = 0
       :: else
       fi
    :: else
    fi
  }
  mask = mask & ~given;
  u = 0
}

// x may be deleted: an own name, not above the committed epoch, not in the footer of that epoch,
// and not pinned because a unit was given with it.
#define GARBAGE(x) ((x) != LOST && GEN_OF(x) == born && ORD_OF(x) == ord[p] && EPOCH_OF(x) <= e && !kept)
inline Keeps(x) {
  kept = false;
  for (v : 0 .. UNITS - 1) {
    kept = kept || (x) == mem_newest[AT(p, v)] || (x) == mem_base[AT(p, v)]
  }
  v = 0
}
inline Collect() {
  for (u : 0 .. UNITS - 1) {
    Keeps(newest[u]);
    assert(newest[u] == 0 || !GARBAGE(newest[u]));
    Keeps(base[u]);
    assert(base[u] == 0 || !GARBAGE(base[u]));
    for (q : 0 .. PROCS - 1) {
      Keeps(mem_newest[AT(q, u)]);
      if
      :: mem_newest[AT(q, u)] != 0 && GARBAGE(mem_newest[AT(q, u)]) -> mem_newest[AT(q, u)] = LOST
      :: else
      fi;
      Keeps(mem_base[AT(q, u)]);
      if
      :: mem_base[AT(q, u)] != 0 && GARBAGE(mem_base[AT(q, u)]) -> mem_base[AT(q, u)] = LOST
      :: else
      fi
    }
    for (q : 0 .. ORDS - 1) {
      Keeps(tx_base[AT(q, u)]);
      if
      :: tx_base[AT(q, u)] != 0 && GARBAGE(tx_base[AT(q, u)]) -> tx_base[AT(q, u)] = LOST
      :: else
      fi
    }
  }
  u = 0; q = 0; kept = false
}

inline Wipe() {
  for (u : 0 .. UNITS - 1) {
    pos[AT(p, u)] = 0; mem_newest[AT(p, u)] = 0; mem_base[AT(p, u)] = 0
  }
  valid[p] = false;
  gen = 0; born = 0; replicas = 0; mask = 0; given = 0; e = 0; waits = false; u = 0; o = 0
}

#define MINE(u) (OWNER(replicas, u) == ord[p])
#define CRASH crashes > 0 -> crashes--; goto ended

// A unit may be read: nothing is pending for it, and a taker needs the mark.
#ifdef M_TAKE_BEFORE_RELEASE
#define READABLE(u, taker) (!PENDING(u))
#else
#define READABLE(u, taker) (!PENDING(u) && (!(taker) || mark[u] == gen))
#endif
#define READY(u) (!MINE(u) || READABLE(u, waits))

inline TakeMine() {
  mask = 0;
  for (u : 0 .. UNITS - 1) {
    if
    :: MINE(u) -> Take(u); mask = mask | (1 << u)
    :: else
    fi
  }
  u = 0
}

#define GROWS(u) (IN(mask, u) && pos[AT(p, u)] < MAXOFF)
#define GIVES(u) (IN(mask, u) && OWNER(plan[gen + 1], u) != ord[p])
#define LACKS(u) (MINE(u) && !IN(mask, u))

inline Report() {
  if
  :: gen == num && !LACKS(0) && !LACKS(1) && !LACKS(UNITS - 1) -> runs[ord[p]] = true
  :: else
  fi
}

proctype Worker(byte p; bool once) {
  byte gen, born, replicas, mask, given, e, u, v, q, o;
  bool waits, kept;

idle:
  // Register, then take over the ids of this ordinal and of those that are gone. The assignment is
  // the newest one, or an older one: time may pass before the fence, and an operator may lag. In an
  // unfinished hand-over only new ordinals start, and only before START.
  atomic {
    if
    :: ord[p] < plan[num] &&
       (!hand[num] || settled[num] || (!started[num] && ord[p] >= plan[num - 1])) -> gen = num
    :: stale > 0 && num > 1 && ord[p] < plan[num - 1] -> stale--; gen = num - 1
    :: stale > 0 && num > 2 && ord[p] < plan[num - 2] -> stale--; gen = num - 2
    fi;
    born = gen;
    replicas = plan[gen];
    waits = hand[gen] && !settled[gen]
#ifdef M_READ_BEFORE_FENCE
    ;
    d_step { TakeMine() }
  }
  atomic {
    skip
#endif
    ;
    d_step {
      Fence(ord[p]);
      valid[p] = true;
      for (o : replicas .. ORDS - 1) {
        if
        :: o != ord[p] -> Fence(o)
        :: else
        fi
      }
      o = 0;
      if
      :: gen == num -> fenced[ord[p]] = true
      :: else
      fi
    }
  }

  // START is heard, then the quorum read says whether the generation is still current.
  if
#ifdef M_NO_CHECK
  :: started[gen]
#else
  :: num == gen && started[gen]
#endif
  :: atomic { num != gen -> goto ended }
  :: atomic { !valid[p] -> goto ended }
  :: atomic { CRASH }
  fi;

  // Stable committed offsets; a taker waits for the mark. Then restore: what the metadata names is
  // there, for Collect asserts that nobody removes what is committed.
  if
  :: d_step {
       READY(0) && READY(1) && READY(UNITS - 1);
#ifndef M_READ_BEFORE_FENCE
       TakeMine();
#endif
       waits = false;
       Report()
     }
  :: atomic { num > gen -> goto ended }
  :: atomic { !valid[p] -> goto ended }  // the operator says that a newer process has registered
  fi;
running:
  do
  :: atomic {  // the end of an epoch in which something happened
       valid[p] && tx_units[ord[p]] == 0 && (GROWS(0) || GROWS(1) || GROWS(UNITS - 1)) ->
       Send(0);
       goto deciding
     }
  :: atomic {  // giver: this epoch's metadata releases what generation gen + 1 places elsewhere
       valid[p] && tx_units[ord[p]] == 0 && num > gen && hand[gen + 1] &&
       started[gen + 1] && (GIVES(0) || GIVES(1) || GIVES(UNITS - 1)) ->
       for (u : 0 .. UNITS - 1) {
         given = given | (GIVES(u) << u)
       }
       u = 0;
       Send(given);
       goto deciding
     }
  :: d_step {  // nothing to give: goes on in the new generation
       valid[p] && num > gen && hand[gen + 1] && started[gen + 1] && mask != 0 &&
       !GIVES(0) && !GIVES(1) && !GIVES(UNITS - 1);
       gen++;
       replicas = plan[gen];
       Report()
     }
  :: d_step {  // taker that runs: a unit with the mark, or the whole switch comes
       valid[p] && LACKS(0) && READABLE(0, !settled[gen]);
       Take(0);
       mask = mask | 1;
       Report()
     }
  :: d_step {
       valid[p] && LACKS(1) && READABLE(1, !settled[gen]);
       Take(1);
       mask = mask | 2;
       Report()
     }
  :: atomic { mask == 0 -> goto ended }     // all given
  :: atomic { DRAINS -> goto ended }        // its last epoch was the one before this step
  :: atomic { !valid[p] -> goto ended }     // fenced: learned at the next call
  :: atomic { CRASH }
  od;

deciding:
#ifdef M_GC_EARLY
  skip;
  d_step { Confirm(); Collect() }
#endif
  if
  :: atomic {
       valid[p] && tx_units[ord[p]] == 0 ->
#ifndef M_GC_EARLY
       d_step { Confirm() }
#endif
     }
  :: atomic { !valid[p] -> goto ended }
  :: atomic { CRASH }
  fi;

  // Behind the commit: clean up. A giver goes on in the new generation.
  d_step {
    if
    :: given != 0 -> gen++; replicas = plan[gen]; given = 0
    :: else
    fi;
    Collect();
    e = 0;
    Report()
  }
  goto running;

ended:
  atomic {
    mask = 0;  // a d_step cannot be jumped to
    d_step { Wipe() }
    if
    :: once -> skip
    :: else -> goto idle
    fi
  }
}

// What every worker of the newest generation has reported.
#define ALL(done) (done[0] && (plan[now_num] < 2 || done[1]) && (plan[now_num] < 3 || done[ORDS - 1]))
#ifdef M_START_EARLY
#define ALL_FENCED (fenced[0] || fenced[1] || fenced[ORDS - 1])
#else
#define ALL_FENCED ALL(fenced)
#endif
#define UNFINISHED (hand[now_num] && !settled[now_num])
#ifdef LIVE  // somebody edits the spec `edits` times; one generation is left to fall back to
byte edits;
#define MAY_EDIT (edits > 0)
#define MAY_HAND_OVER (edits > 0 && now_num + 1 < GENS)
#define EDITED edits = edits - (UNFINISHED || edits == 0 -> 0 : 1)
#else
#define MAY_EDIT true
#define MAY_HAND_OVER (now_num < GENS)
#define EDITED skip
#endif
#ifdef M_NO_FALLBACK
#define MAY_SWITCH (MAY_EDIT && !UNFINISHED)
#else
#define MAY_SWITCH (MAY_EDIT || UNFINISHED)
#endif

inline Prepare(by_hand) {
  d_step {
    num = now_num + 1;
    started[num] = false;
    settled[num] = false;
    hand[num] = by_hand;
    for (i : 0 .. ORDS - 1) {
      fenced[i] = by_hand && i < plan[now_num];  // those that run are asked nothing
      runs[i] = false
    }
    i = 0
  }
}

// One decision from the status as seen (now_num): START, or a new generation.
inline Decide() {
  if
  :: !started[now_num] && ALL_FENCED ->
     started[now_num] = true;
     settled[now_num] = !hand[now_num];
#ifdef W_FALL_BACK
     assert(!(now_num == GENS && hand[2] && !settled[2] && started[2] && mark[1] == 2))
#endif
  :: started[now_num] && !settled[now_num] && ALL(runs) -> settled[now_num] = true;
#ifdef W_HAND_OVER_TWICE
     assert(!(now_num == 3 && hand[2] && off[0] == MAXOFF && off[1] == MAXOFF))
#endif
     // The spec changes, a worker is lost, or a hand-over does not come to its end.
  :: now_num < GENS && MAY_SWITCH ->
     EDITED;
     Prepare(false);
     if
     :: plan[num] = 1
     :: plan[num] = 2
#if ORDS > 2
     :: plan[num] = 3
#endif
     fi
  :: MAY_HAND_OVER && settled[now_num] && ALL(runs) ->
     EDITED;
     Prepare(true);
     if
     :: plan[now_num] != 1 -> plan[num] = 1
     :: plan[now_num] != 2 -> plan[num] = 2
#if ORDS > 2
     :: plan[now_num] != 3 -> plan[num] = 3
#endif
     fi
  fi
}

// The leader.
proctype Operator() {
  byte now_num, i;
  do
  :: atomic { now_num = num; Decide(); now_num = 0 }
  od
}

// Another that believes to be it: looks, and acts later. Its write carries the version it has seen.
proctype OldLeader() {
  byte now_num, i;
  bool was_started, was_settled;
  atomic { now_num = num; was_started = started[num]; was_settled = settled[num] }
  if
#ifdef M_NO_LOCK
  :: atomic { Decide() }
#else
  :: atomic { now_num == num && was_started == started[num] && was_settled == settled[num] -> Decide() }
  :: else -> skip  // conflict: it looks again, which is what Operator does
#endif
  fi
}

#define DONE (off[0] == MAXOFF && off[1] == MAXOFF && off[UNITS - 1] == MAXOFF && settled[num] && \
              runs[0] && (plan[num] < 2 || runs[1]) && (plan[num] < 3 || runs[ORDS - 1]))

init {
  byte i;
#ifdef LIVE
  if
  :: edits = 0
  :: edits = 1
  :: edits = 2
  fi;
#endif
  d_step {
    plan[1] = FIRST;
    started[1] = true;
    settled[1] = true;
    for (i : 0 .. ORDS - 1) {
      ord[i] = i
    }
    ord[ORDS] = ZOMBIE;
    i = 0
  }
  atomic {
    run Kafka();
    run Operator();
#ifdef TWO_LEADERS
    run OldLeader();
#endif
    for (i : 0 .. ORDS - 1) {
      run Worker(i, false)
    }
    run Worker(ORDS, true);
    i = 0
  }
#ifdef LIVE
  // Nothing can happen any more. That it comes to this in every run is checked apart: no cycles.
  timeout -> assert(DONE)
#endif
}
