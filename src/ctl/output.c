#include "ctl/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum ctl_exit ctl_output(const char *string, const char *done)
{
        if (fputs(string, stdout) >= 0 && fflush(stdout) == 0)
                return CTL_EXIT_OK;
        fprintf(stderr, "preforkctl: cannot write to stdout: %s%s%s\n", strerror(errno),
                done ? "; the command was carried out: " : "", done ? done : "");
        return CTL_EXIT_FAILURE;
}
