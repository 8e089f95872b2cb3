/* Upgrades: from the request over the preflight and the execution to the program that serves, and the way back.
 *
 * What is modelled, by the functions of the program:
 *   running     upgrade_begin(), on_preflight_end(), upgrade_continue(), replace_ourselves(), execute(),
 *               upgrade_cancel() of master/upgrade/upgrade; on_deadline(), preflight_kill(), preflight_answer() of
 *               master/upgrade/preflight; reload_queue_reload(), on_config(), reload_queue_again() of
 *               master/reload/reload_queue; on_idle() and commit_config() of master/daemon/reload_host;
 *               shutdown_begin() of master/daemon/shutdown
 *   executed    main(), daemon_run(), upgrade_host_take_over(), upgrade_host_go_back(), tell_upgraded(), tell_back() of
 *               master/daemon; upgrade_take_over(), handover_read(), handover_begin() of master/upgrade;
 *               way_back_open(), way_back_go() of master/upgrade/way_back, with two attempts of each program
 *
 * Upgrades, reloads, a stop, and another file in the place of the program come at any moment. The preflight may agree,
 * refuse, hang, or be wrong; every execution may fail, a program may fail before or while it reads the document, and
 * the kernel may kill it or refuse to load it (then the service manager starts another one).
 *
 * What must hold: one program serves, and takes over one document once; a preflight never serves, and none is left
 * behind; what is executed has had its preflight with the present configuration, and is the file that had it; nothing is
 * executed once the stop has begun; the process ends without a stop only when nothing could take over; every request is
 * answered, and no reload is lost. */

#ifndef UPGRADES
#define UPGRADES 2
#endif
#ifndef RELOADS
#define RELOADS 2
#endif
#ifndef CHANGES
#define CHANGES 1
#endif
#ifndef FATALS
#define FATALS 1
#endif
#define ATTEMPTS 2
#define NO_FD 0                    /* there is no way back */

mtype = { NOTHING, RUNS, AGREES, REFUSES };

/* What people ask for, and what they have been told. */
byte upgrades, reloads, stops, changes, fatals;            /* so many are to come */
byte asked, answered;              /* upgrades */
bool hup, hup_read = 1;            /* SIGHUP is pending, and whether a configuration as new as the last one was read */
bool term;                         /* SIGTERM is pending */
byte file;                         /* the file at the path of the program */

mtype preflight = NOTHING;         /* the child: what it does, or how it has ended */
byte documents, taken;             /* numbers of the document that was written last, and that was taken over last */
bool serves = 1;
bool ended;                        /* the process has ended without a stop */

inline tell() {
  d_step { assert(asked == answered + 1); answered++ }
}

/* upgrade_continue() */
#ifdef BUG_OLD_PREFLIGHT
#define IS_CURRENT true
#else
#define IS_CURRENT (version == serial)
#endif

inline go_on() {
  if
  :: !path || child || reading
  :: path && !child && !reading && !IS_CURRENT -> start_preflight()
  :: path && !child && !reading && IS_CURRENT ->
     if
     :: file != looked -> path = 0; due = 0; tell()        /* it has changed since its preflight */
     :: file == looked -> execute()
     fi
  fi
}

inline start_preflight() {
  d_step { due = 0; version = serial };
  if
  :: d_step { preflight = RUNS; child = 1 }
  :: path = 0; tell()                                      /* cannot be started */
  fi
}

/* replace_ourselves(), and everything until a program takes over or the process ends. */
inline execute() {
  if
  :: path = 0; due = 0; tell()                             /* nothing was changed */
  :: d_step {
       assert(!stopping && agreed_version == serial && agreed_file == looked);
       documents++; serves = 0; attempt = 1; back = 0; executions = 1; path = 0; due = 0
     };
     if
     :: previous = 1
     :: previous = NO_FD                                   /* no /proc */
     fi;
     take_over()
  fi
}

inline take_over() {
  do
  :: break                                                 /* read: begins */
  :: d_step { fatals > 0 -> fatals--; ended = 1 }; break   /* a loader that fails, a fatal signal */
  :: skip;                                                 /* cannot start, or cannot read */
     if                                                    /* way_back_go() */
     :: attempt < ATTEMPTS -> attempt++; executions++
     :: attempt >= ATTEMPTS && previous != NO_FD ->
        attempt = 1; back = 1; executions++;
#ifndef BUG_BACK_AND_FORTH
        previous = NO_FD
#endif
     :: attempt >= ATTEMPTS && previous == NO_FD -> assert(back || attempt == ATTEMPTS); ended = 1; break
     fi;
     assert(executions <= 2 * ATTEMPTS)
  od;
  if
  :: ended
  :: else ->
     d_step {
       assert(!serves && taken < documents);
       taken = documents; serves = 1;                      /* handover_begin() */
       version = 0; serial = 0; child = 0; attempt = 0; executions = 0; previous = NO_FD; back = 0
     };
     tell();                                               /* tell_upgraded() or tell_back() */
     read_again()                                          /* reload_queue_again() */
  fi
}

/* reload_queue_reload() */
inline read_again() {
  if
  :: again && !stopping -> d_step { again = 0; reading = 1; hup_read = 1 }
  :: else
  fi
}

active proctype master() {
  bool path, child, due, cancelled, reading, again, stopping, back;
  byte version, serial, looked, agreed_version, agreed_file, attempt, executions, previous;

  do
  :: ended -> break
  :: d_step { !ended && upgrades > 0 -> upgrades-- };      /* upgrade_begin() */
     if
     :: stopping || path                                   /* said at once */
     :: else ->
        d_step { asked++; path = 1; cancelled = 0; looked = file };
        start_preflight()
     fi
  :: d_step { !ended && child && preflight != RUNS -> child = 0 };        /* on_preflight_end() */
     if
     :: cancelled -> path = 0; cancelled = 0
     :: !cancelled && preflight == REFUSES -> path = 0; tell()
     :: !cancelled && preflight == AGREES -> due = 1; agreed_version = version; agreed_file = looked
     fi;
     preflight = NOTHING
  :: d_step { !ended && preflight == RUNS -> preflight = AGREES }          /* the child ends */
  :: d_step { !ended && preflight == RUNS -> preflight = REFUSES }         /* also by on_deadline() */
  :: d_step { !ended && due -> due = 0 }; go_on()
  :: d_step { !ended && hup -> hup = 0 };                  /* reload_queue_reload() */
     if
     :: stopping
     :: !stopping && reading -> again = 1
     :: else -> d_step { reading = 1; hup_read = 1 }
     fi
  :: d_step { !ended && reading -> reading = 0 };          /* on_config() */
     if
     :: stopping
     :: !stopping ->
        if
        :: serial++                                        /* commit_config() */
        :: skip                                            /* it was refused */
        fi;
        go_on();                                           /* on_idle() */
        if
        :: ended
        :: else -> read_again()
        fi
     fi
  :: d_step { !ended && term -> term = 0; stopping = 1; answered = asked };   /* shutdown_begin(); clients are told */
     if
     :: child -> cancelled = 1; preflight = (preflight == RUNS -> REFUSES : preflight)
#ifdef BUG_NOT_CANCELLED
     :: else
#else
     :: else -> path = 0; due = 0
#endif
     fi
  :: timeout -> break
  od;
  timeout;
  assert(ended || serves);
  assert(preflight == NOTHING || (ended && !child));
  assert(ended || (!path && !child && !due && !reading && (!again || stopping)));
  assert(ended || asked == answered);
  assert(ended || stopping || (hup_read && !hup))
}

active proctype people() {
  select(upgrades : 0 .. UPGRADES);
  select(fatals : 0 .. FATALS);
  reloads = RELOADS;
  end_all: do
  :: d_step { reloads > 0 -> reloads--; hup = 1; hup_read = 0 }
  :: d_step { stops == 0 -> stops++; term = 1 }
  :: d_step { changes < CHANGES -> changes++; file++ }
  :: break
  od
}
