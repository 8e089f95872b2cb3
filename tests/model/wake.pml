/* Wake-ups: workers report in shared words, and the master sleeps until one of them has crossed a threshold.
 *
 * What is modelled, by the functions of the program:
 *   worker      slot_ready(), slot_busy(), slot_idle(), slot_wake() of lib/slot; idle_set_add(), idle_set_remove(),
 *               idle_set_count() of lib/idle_set, which reads the bitmap word by word; worker/accept_loop
 *   turn        on_wake(), pool_begin_turn() of master/pool/pool, pool_turn_take(), pool_snapshot_take(),
 *               scale_policy_decide() and its publish() of logic/policy/scale, launcher_start(), scaler_publish() with
 *               publish_levels(), publish_share() and watch_listeners() of master/pool/scaler, level_shares_divide() of
 *               logic/policy/level_shares
 *   master      on_readable() and on_pause_over() of master/pool/wake_pipe, the pause of logic/policy/wake_limit;
 *               worker_exit_settle(); pool_touch()
 *
 * Each step is one access to a shared word, as in the program, where all of them are seq_cst. Clients come at any time
 * and ask for short requests or for ones that never end. A process may kill a worker at any instruction. The master
 * stops to listen for a while at any wake-up, and a launch may fail.
 *
 * What must hold when nothing moves any more: no client waits, and no worker is missing, while the pool has room; unless
 * the master has a timer, or watches the listeners. What is left out: HIGH wake-ups, shrinking, saturation's timers
 * (a saturated pool has one, so it cannot sleep for good). */

#ifndef SLOTS
#define SLOTS 2      /* max_workers, too */
#endif
#ifndef MIN_SPARE
#define MIN_SPARE 1  /* 0: as with scaling = ondemand */
#endif
#ifndef CLIENTS
#define CLIENTS 3
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef PAUSES
#define PAUSES 0
#endif
#ifndef LAUNCH_FAILURES
#define LAUNCH_FAILURES 0
#endif
#define ENOUGH (MIN_SPARE > 0 -> MIN_SPARE : 1)

/* The bitmap of the idle set has two words: slot 0 is in the first one, all others are in the second. With two
 * scoreboards, as while a restart replaces workers, each is the bitmap of one. */
#ifndef BOARDS
#define BOARDS 1
#endif
#define WORD(slot) ((slot) == 0 -> 0 : 1)
#if BOARDS == 1
#define BOARD(slot) 0
#else
#define BOARD(slot) WORD(slot)
#endif

mtype = { FREE, STARTING, READY };

#define IS(slot, what) (life[slot] == what -> 1 : 0)
#if SLOTS > 2
#define TOTAL (SLOTS - IS(0, FREE) - IS(1, FREE) - IS(2, FREE))
#else
#define TOTAL (SLOTS - IS(0, FREE) - IS(1, FREE))
#endif

/* The scoreboard, and what the kernel knows. */
bool bit_[SLOTS];              /* the idle set … */
byte bits[2];                  /* … and how many bits are set in each of its words */
byte low_below[BOARDS];
bool flag_ready, flag_low[BOARDS];     /* board.wake */
bool pipe_readable;
bool reported[SLOTS];          /* activity is no longer STARTING */
bool forked[SLOTS];            /* there is a process */
bool killed[SLOTS];            /* it dies before its next instruction */
bool dead[SLOTS];              /* it is to be reaped */
byte queue;                    /* connections that wait */

inline add_idle(slot) {
  d_step { bits[WORD(slot)] = bits[WORD(slot)] + (bit_[slot] -> 0 : 1); bit_[slot] = 1 }
}

/* idle_set_count() of a board. */
inline count_idle(c, board) {
#if BOARDS == 1
  c = bits[0];
  c = c + bits[1]
#else
  c = bits[board]
#endif
}

inline wake(flag) {                      /* slot_wake() */
  if
  :: flag                                /* the load that spares the line */
  :: else ->
     if                                  /* the exchange */
     :: d_step { !flag -> flag = 1 };
        pipe_readable = 1                /* write(2) */
     :: flag
     fi
  fi
}

proctype worker(byte me) {
  byte c;
process:
  end_free: forked[me];
  {
    reported[me] = 1;                    /* slot_ready() */
    add_idle(me);
    wake(flag_ready);
    end_idle: do
    :: d_step { queue > 0 -> queue-- };  /* accept(2) */
       d_step {                          /* slot_busy() */
         bits[WORD(me)] = bits[WORD(me)] - (bit_[me] -> 1 : 0);
         bit_[me] = 0
       };
       count_idle(c, BOARD(me));
       if
       :: c < low_below[BOARD(me)] -> c = 0; wake(flag_low[BOARD(me)])
       :: else -> c = 0
       fi;
       if
       :: add_idle(me)                   /* a short request; slot_idle() */
       :: break                          /* one that never ends */
       fi
    od;
    end_long: false
  } unless {
    d_step { killed[me] -> killed[me] = 0; forked[me] = 0; dead[me] = 1; c = 0 }
  }
  goto process
}

/* Each flag has a protocol of its own, so one step for both loses nothing. */
inline clear_flags() {
  d_step {
    flag_ready = 0; flag_low[0] = 0;
#if BOARDS == 2
    flag_low[1] = 0
#endif
  }
}

/* pool_snapshot_take(). What a worker has reported stays reported, so both words of a worker may be read at once. */
inline row(slot) {
  d_step {
    if
    :: life[slot] == STARTING && reported[slot] -> life[slot] = READY
    :: else
    fi;
    starting = starting + (life[slot] == STARTING -> 1 : 0);
    idle = idle + (life[slot] == READY && bit_[slot] -> 1 : 0)
  }
}

inline snapshot() {
  row(0);
  row(1);
#if SLOTS > 2
  row(2);
#endif
  queued = queue
}

/* scale_policy_decide(): how many to start, and the threshold. */
inline decide() {
  d_step {
    total = TOTAL;
    start = (MIN_SPARE + queued > idle + starting -> MIN_SPARE + queued - idle - starting : 0);
    start = (start > SLOTS - total -> SLOTS - total : start);
    saturated = (total + start == SLOTS && idle < ENOUGH && idle + starting + start < MIN_SPARE + queued);
    watch = !saturated && idle == 0 && starting + start == 0;
    level = (!saturated && !watch && ENOUGH > starting + start -> ENOUGH - starting - start : 0);
    timer = saturated;                   /* asks again */
    saturated = 0; idle = 0; starting = 0; total = 0; queued = 0
  }
}

inline launch(slot) {                    /* launcher_start() */
  d_step {
    start > 0 && life[slot] == FREE -> life[slot] = STARTING; reported[slot] = 0; forked[slot] = 1; start--
  }
}

inline carry_out() {
  do
  :: launch(0)
  :: launch(1)
#if SLOTS > 2
  :: launch(2)
#endif
  :: d_step { start > 0 && failures < LAUNCH_FAILURES -> failures++; start = 0; timer = 1 }
  :: start == 0 -> break
  od
}

inline publish_share(share, board) {
  if
  :: low_below[board] == share
  :: else ->
     low_below[board] = share;
#ifndef BUG_NO_RECOUNT
     count_idle(idle, board);
     touched = touched || (idle < share && !flag_low[board]);
     idle = 0
#endif
  fi;
  share = 0
}

/* publish_levels(), level_shares_divide() */
inline publish() {
#if BOARDS == 1
  publish_share(level, 0)
#else
  idle = bits[0];
  starting = bits[1];
  d_step {
    total = idle + starting;
    share0 = (level > total -> level : (total > 0 -> idle - (total - level) * idle / total : 0));
    share1 = (level > total -> level : (total > 0 -> starting - (total - level) * starting / total : 0));
#ifdef BUG_HALVES
    share0 = level / 2;
    share1 = level - share0;
#endif
    total = 0; idle = 0; starting = 0; level = 0
  };
  publish_share(share0, 0);
  publish_share(share1, 1)
#endif
}

inline turn() {
  touched = 0;
#ifdef BUG_CLEARED_LATE
  snapshot();
  clear_flags();
#else
#ifndef BUG_STUCK_FLAG
  clear_flags();
#endif
  snapshot();
#endif
  decide();
  carry_out();
  publish()
}

inline reap(slot) {                      /* worker_exit_settle() */
  d_step {
    dead[slot] -> dead[slot] = 0;
    bits[WORD(slot)] = bits[WORD(slot)] - (bit_[slot] -> 1 : 0);
    bit_[slot] = 0;
    life[slot] = FREE;
    touched = 1
  }
}

active proctype master() {
  mtype life[SLOTS] = FREE;
  byte idle, starting, total, queued, level, start, share0, share1, pauses, failures;
  bool touched = 1, paused, watch, timer, saturated;

  atomic { run worker(0); run worker(1)
#if SLOTS > 2
  ; run worker(2)
#endif
  }
  do
  :: d_step { pipe_readable && !paused -> pipe_readable = 0 };     /* on_readable(); read(2) */
     if
     :: d_step { pauses < PAUSES -> pauses++; paused = 1 }
     :: skip
     fi;
#ifdef BUG_STUCK_FLAG
     clear_flags();
#endif
     turn()
  :: paused -> paused = 0
  :: touched -> turn()
  :: watch && queue > 0 -> turn()
  :: reap(0)
  :: reap(1)
#if SLOTS > 2
  :: reap(2)
#endif
  :: timeout -> break                    /* nothing moves any more */
  od;
  assert(!touched && !pipe_readable && !IS(0, STARTING) && !IS(1, STARTING));
  /* Nobody waits while there is room, … */
  assert(queue == 0 || TOTAL == SLOTS || timer);
  /* … and the pool is not below its threshold for good. */
  assert(bits[0] + bits[1] >= ENOUGH || TOTAL == SLOTS || watch || timer)
}

active proctype client() {
  byte clients;
  select(clients : 0 .. CLIENTS);
  end_all: do
  :: d_step { clients > 0 -> clients--; queue++ }
  od
}

active proctype killer() {
  byte kills;
  select(kills : 0 .. KILLS);
  end_all: do
  :: d_step { kills > 0 && forked[0] -> kills--; killed[0] = 1 }
  :: d_step { kills > 0 && forked[1] -> kills--; killed[1] = 1 }
#if SLOTS > 2
  :: d_step { kills > 0 && forked[2] -> kills--; killed[2] = 1 }
#endif
  od
}
