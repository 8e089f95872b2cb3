/* Recycling: a worker asks, the master starts the replacement first, and answers.
 *
 * What is modelled, by the functions of the program:
 *   worker      accept_loop_run() and serve() of worker/accept_loop; recycling_request_begun(), recycling_is_due(),
 *               recycling_was_granted() of worker/recycling; slot_ask_recycle(), slot_wait_recycle(), slot_wake() of
 *               lib/slot; the door of lib/door, which the retire signal and the master's death close
 *   turn        on_wake() of master/pool/pool; read_slot() of master/pool/worker; recycle_decide() with follow_up(),
 *               begin(), let_go(), count_free_places() and find_first_asking() of logic/policy/recycle; launch() of
 *               master/pool/turn_orders; recycler_let_go(), recycler_serve_on() of master/pool/recycler;
 *               worker_retire(); of scaling only that it keeps START workers, and that something retires a worker
 *   master      worker_exit_settle(), worker_table_remove(); an upgrade, which hands over `recycling` and the
 *               replacement (master/pool/pool_state) and begins with a turn
 *
 * Each step is one access to a shared word. At any moment a worker may be killed or retired, a launch may fail, a worker
 * may lose its patience (the second after which it serves on), become too old, and the master may be replaced or die.
 *
 * What must hold: a place of max_recycling is given to one worker at a time; whoever may go leaves enough workers that
 * are ready; no question stays without an answer, and no worker keeps its place for good; when the master dies, all end
 * but those that still serve. */

#ifndef MAX_WORKERS
#define MAX_WORKERS 3
#endif
#ifndef START
#define START 2
#endif
#ifndef REQUESTS
#define REQUESTS 1
#endif
#ifndef QUESTIONS
#define QUESTIONS 2
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef RETIREMENTS
#define RETIREMENTS 0
#endif
#ifndef LAUNCH_FAILURES
#define LAUNCH_FAILURES 0
#endif
#ifndef IMPATIENCE
#define IMPATIENCE 0
#endif
#ifndef AGES
#define AGES 0
#endif
#ifndef UPGRADES
#define UPGRADES 0
#endif
#ifndef MASTER_DEATHS
#define MASTER_DEATHS 0
#endif
#define MAX_RECYCLING 1
#define SLOTS 3
#define NOBODY SLOTS

mtype = { FREE, STARTING, READY, RETIRING };    /* enum worker_state */
mtype = { NONE, GO, LATER };                    /* enum prefork_answer, and orders to give one */
mtype = { NOT, REPLACING, LET_GO };             /* enum recycle_progress */

/* The scoreboard, and what the kernel knows. */
bool bit_[SLOTS];                  /* the idle set */
bool asks[SLOTS];                  /* slot.recycle */
mtype answer[SLOTS] = NONE;        /* slot.answer */
bool flag;                         /* board.wake[PREFORK_WAKE_RECYCLE], and READY as well: each would do alone */
bool pipe_readable;
bool reported[SLOTS];              /* activity is no longer STARTING */
bool forked[SLOTS], killed[SLOTS], dead[SLOTS];
bool closed[SLOTS];                /* the door */
bool waits[SLOTS], serves[SLOTS];  /* for the assertions: waits for an answer; serves a request that does not end */
bool too_old[SLOTS];
bool master_dead;
byte requests, questions, impatience;   /* so many are left */
byte capacity;                     /* workers that served when a replacement was ordered */

inline wake() {
  if
  :: flag
  :: else ->
     if
     :: d_step { !flag -> flag = 1 }; pipe_readable = 1
     :: flag
     fi
  fi
}

inline ask(me) {                   /* slot_ask_recycle() */
  if
  :: asks[me]
  :: else ->
     answer[me] = NONE;
     asks[me] = 1;
     wake()
  fi
}

proctype worker(byte me) {
process:
  end_free: forked[me];
  {
    bit_[me] = 1;
    reported[me] = 1;
    wake();
    end_idle: do
    :: closed[me] -> break                                 /* accept(2): ENOTSOCK */
    :: d_step { requests > 0 && !closed[me] -> requests-- };
       bit_[me] = 0;                                       /* slot_busy() */
       if
       :: d_step { questions > 0 -> questions-- }; ask(me)
       :: skip
       fi;
       if
       :: serves[me] = 1; end_serves: false
       :: skip
       fi;
       if                                                  /* recycling_is_due() */
       :: !asks[me] || closed[me]
       :: else ->
          waits[me] = 1;
          if                                               /* slot_wait_recycle() */
          :: answer[me] != NONE || closed[me]
          :: d_step { impatience > 0 -> impatience-- }
          fi;
          waits[me] = 0;
          if
          :: answer[me] == GO -> break
          :: d_step { answer[me] == LATER -> skip }; asks[me] = 0
          :: answer[me] == NONE
          fi
       fi;
       bit_[me] = 1;                                       /* slot_idle() */
       if                                                  /* recycling_was_granted() */
       :: asks[me] && answer[me] == GO -> break
       :: else
       fi
    od;
    skip;
    d_step { forked[me] = 0; dead[me] = 1 }
  } unless {
    d_step { killed[me] -> killed[me] = 0; capacity = 0; waits[me] = 0; serves[me] = 0; forked[me] = 0; dead[me] = 1 }
  }
  goto process
}

#define OPEN(i) (life[i] == STARTING || life[i] == READY)
#define HAS_REPLACEMENT(i) (replacement[i] != NOBODY && OPEN(replacement[i]))
#define IS_REPLACEMENT(i) (replacement[0] == i || replacement[1] == i || replacement[2] == i)
#define ONE(condition) ((condition) -> 1 : 0)
#define GRANTED(i) ONE(forked[i] && OPEN(i) && asks[i] && answer[i] == GO)
#define STAYS(i) ONE(forked[i] && OPEN(i) && reported[i] && !(asks[i] && answer[i] == GO))

/* read_slot(), of one worker: three reads, in this order. */
inline row(i) {
  d_step {
    if
    :: life[i] == STARTING && reported[i] -> life[i] = READY
    :: else
    fi;
    row_idle[i] = (life[i] == READY && bit_[i])
  };
  if
  :: life[i] == FREE
  :: else ->
     row_asks[i] = asks[i];
     row_granted[i] = (answer[i] == GO)
  fi
}

/* let_go() of the policy: an order to answer. */
inline may_go(i) {
  if
  :: row_asks[i] || (row_idle[i] && too_old[i]) -> order[i] = GO; progress[i] = LET_GO
  :: else -> order[i] = LATER; progress[i] = NOT
  fi
}

inline follow_up(i) {
  if
  :: progress[i] == NOT || !OPEN(i)
  :: progress[i] != NOT && OPEN(i) && HAS_REPLACEMENT(i) && life[replacement[i]] == STARTING ->
#ifdef BUG_TOO_EARLY
     may_go(i)
#else
     skip
#endif
  :: else ->
     if
     :: progress[i] == LET_GO && row_asks[i] ->
        if
        :: row_idle[i] -> retire[i] = 1
        :: !row_idle[i] && !row_granted[i] -> may_go(i)
        :: else
        fi
     :: !(progress[i] == LET_GO && row_asks[i]) && HAS_REPLACEMENT(i) -> may_go(i)
     :: else -> order[i] = LATER; progress[i] = NOT
     fi
  fi
}

/* begin(): the replacement first, if there is room for one. All workers of the model need one. */
inline begin(i) {
  if
  :: total < MAX_WORKERS -> launches[i] = 1; total++; capacity = STAYS(0) + STAYS(1) + STAYS(2)
  :: else -> may_go(i); capacity = 0
  fi;
  places--
}

inline begin_or_not(i) {
  if
  :: progress[i] == NOT && life[i] == READY && row_asks[i] ->
     if
     :: places > 0 -> begin(i)
     :: else -> order[i] = LATER
     fi
  :: progress[i] == NOT && life[i] == READY && !row_asks[i] && row_idle[i] && too_old[i] && places > 0 -> begin(i)
  :: else
  fi
}

#ifdef BUG_NOT_COUNTED
#define IN_PROGRESS(i) (progress[i] == REPLACING)
#else
#define IN_PROGRESS(i) (progress[i] != NOT)
#endif
#define STANDS_IN(i) (total >= MAX_WORKERS && life[i] == STARTING && !IS_REPLACEMENT(i))

inline decide() {
  d_step {
    total = ONE(OPEN(0)) + ONE(OPEN(1)) + ONE(OPEN(2));
    places = ONE(IN_PROGRESS(0) || STANDS_IN(0)) + ONE(IN_PROGRESS(1) || STANDS_IN(1)) +
             ONE(IN_PROGRESS(2) || STANDS_IN(2));
    places = (places < MAX_RECYCLING -> MAX_RECYCLING - places : 0);
    follow_up(0);
    follow_up(1);
    follow_up(2);
    /* Those that asked first come first; here, any of them. */
    begin_or_not(0);
    begin_or_not(1);
    begin_or_not(2);
    more = (total < START -> START - total : 0);
    places = 0;
    total = 0;
    row_asks[0] = 0; row_asks[1] = 0; row_asks[2] = 0;
    row_idle[0] = 0; row_idle[1] = 0; row_idle[2] = 0;
    row_granted[0] = 0; row_granted[1] = 0; row_granted[2] = 0
  }
}

/* prepare_slot(), launcher_start(): in the lowest slot that is free; `whose` replacement it is. */
inline launch(whose) {
  if
  :: d_step {
       life[0] == FREE || life[1] == FREE || life[2] == FREE ->
       slot = (life[0] == FREE -> 0 : (life[1] == FREE -> 1 : 2));
       life[slot] = STARTING;
       reported[slot] = 0; asks[slot] = 0; answer[slot] = NONE; bit_[slot] = 0; closed[slot] = 0; too_old[slot] = 0;
       forked[slot] = 1;
       if
       :: whose != NOBODY -> replacement[whose] = slot; progress[whose] = REPLACING
       :: else
       fi;
       slot = 0
     }
  :: d_step { failures < LAUNCH_FAILURES -> failures++; touched = 1 }                  /* tried again later */
  :: else                          /* a worker that ends has its place still */
  fi
}

inline retire_one(i) {             /* worker_retire() */
  d_step { life[i] = RETIRING; touched = touched || IS_REPLACEMENT(i) };
  bit_[i] = 0;
  closed[i] = 1;
  answer[i] = GO
}

inline carry_out(i) {
  if
  :: launches[i] -> launches[i] = 0; launch(i)
  :: order[i] == GO ->
     order[i] = NONE;
     /* Whoever is replaced leaves as many as there were. */
     assert(STAYS(0) + STAYS(1) + STAYS(2) - STAYS(i) >= capacity);
#ifdef BUG_LOOKED_FIRST
     if
     :: life[i] == READY && bit_[i] -> retire_one(i)
     :: else -> answer[i] = GO
     fi
#else
     answer[i] = GO;               /* recycler_let_go() */
     if
     :: life[i] == READY && bit_[i] -> retire_one(i)
     :: else
     fi;
#endif
     assert(GRANTED(0) + GRANTED(1) + GRANTED(2) <= MAX_RECYCLING)
  :: order[i] == LATER ->
     d_step { order[i] = NONE; replacement[i] = NOBODY };
     answer[i] = LATER             /* recycler_serve_on() */
  :: retire[i] -> retire[i] = 0; retire_one(i)
  :: else
  fi
}

inline turn() {
  touched = 0;
  flag = 0;
  row(0);
  row(1);
  row(2);
  decide();
  carry_out(0);
  carry_out(1);
  carry_out(2);
  do
  :: more > 0 -> more--; launch(NOBODY)
  :: else -> break
  od
}

inline reap(i) {                   /* worker_exit_settle() */
  d_step {
    dead[i] -> dead[i] = 0;
    bit_[i] = 0;
    life[i] = FREE;
    progress[i] = NOT;
    replacement[i] = NOBODY;       /* worker_table_remove() */
    if :: replacement[0] == i -> replacement[0] = NOBODY :: else fi;
    if :: replacement[1] == i -> replacement[1] = NOBODY :: else fi;
    if :: replacement[2] == i -> replacement[2] = NOBODY :: else fi;
    touched = 1
  }
}

inline somebody_retires(i) {
  d_step { retirements < RETIREMENTS && OPEN(i) -> retirements++; capacity = 0 };
  retire_one(i)
}

/* Nobody waits for an answer, no question is forgotten, and nobody who may go stays idle. */
#define IS_ANSWERED(i) (!waits[i] && (!forked[i] || !OPEN(i) || !asks[i] || \
                                      (answer[i] != NONE && !(bit_[i] && answer[i] == GO))))
/* Nobody keeps a place: whoever may go has gone, unless it serves. */
#define IS_SETTLED(i) (life[i] == FREE || serves[i] || (life[i] == READY && progress[i] == NOT))
/* Without a master, everybody has gone who does not serve. */
#define HAS_ENDED(i) (!forked[i] || serves[i])

active proctype master() {
  mtype life[SLOTS] = FREE, progress[SLOTS] = NOT, order[SLOTS] = NONE;
  byte replacement[SLOTS] = NOBODY, slot, total, places, more, failures, retirements, upgrades;
  bool row_asks[SLOTS], row_idle[SLOTS], row_granted[SLOTS], launches[SLOTS], retire[SLOTS], touched = 1, last;

  atomic { run worker(0); run worker(1); run worker(2) }
  {
    do
    :: d_step { pipe_readable -> pipe_readable = 0 }; turn()
    :: touched -> turn()
    :: reap(0)
    :: reap(1)
    :: reap(2)
    :: somebody_retires(0)
    :: somebody_retires(1)
    :: somebody_retires(2)
    :: d_step { upgrades < UPGRADES -> upgrades++; touched = 1 }
    :: timeout -> assert(IS_ANSWERED(0) && IS_ANSWERED(1) && IS_ANSWERED(2));
       if
       :: last -> break
       :: else -> last = 1; touched = 1                    /* one more turn, of whatever cause */
       fi
    od;
    assert(IS_SETTLED(0) && IS_SETTLED(1) && IS_SETTLED(2));
    end_good: false
  } unless { master_dead }
  timeout;
  assert(HAS_ENDED(0) && HAS_ENDED(1) && HAS_ENDED(2))
}

#define KILL(i) d_step { kills > 0 && forked[i] -> kills--; killed[i] = 1 }
#define AGE(i) d_step { ages > 0 && forked[i] && !too_old[i] -> ages--; too_old[i] = 1 }

active proctype world() {
  byte kills, ages;
  bool dies;
  /* How much of all this happens. */
  d_step { questions = QUESTIONS; impatience = IMPATIENCE };
  select(requests : 0 .. REQUESTS);
  select(kills : 0 .. KILLS);
  select(ages : 0 .. AGES);
  select(dies : 0 .. MASTER_DEATHS);
  end_all: do
  :: KILL(0)
  :: KILL(1)
  :: KILL(2)
  :: AGE(0)
  :: AGE(1)
  :: AGE(2)
  :: d_step {
       dies -> dies = 0; master_dead = 1;
       closed[0] = 1; closed[1] = 1; closed[2] = 1         /* PR_SET_PDEATHSIG */
     }
  od
}
