/* Programs that the program executes in its own place: env(1) before an interpreter, a wrapper. Used by touch/ alone.
 *
 * A program into which the object can be loaded begins anew, watched. For another one, the exec is the touch: it is
 * executed in each copy. */
#pragma once

enum program_kind {
        PROGRAM_NONE,     /* the exec will fail */
        PROGRAM_CAN_LOAD, /* dynamically linked with glibc, for this machine, without more rights */
        PROGRAM_CANNOT
};

enum program_kind program_look(const char *path);
