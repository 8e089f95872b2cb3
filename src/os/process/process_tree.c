#include "os/process/process_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/process/children.h"

struct tree {
        struct text *text;
        unsigned count, depth;
        int error;
};

struct status {
        char *name;
        char state;
        uint64_t cpu_ticks, born_ticks; /* since the boot */
};

/* At most `size` - 1 bytes of a file of the process, as a string. False if there is none, or nothing in it. */
static bool read_file(pid_t pid, const char *name, char *bytes, size_t size)
{
        char path[48];

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, bytes, size - 1);
        bytes[length > 0 ? length : 0] = '\0';
        return length > 0;
}

/* The number of a field behind the state, which is field 3 of proc_pid_stat(5). 0 if there are fewer. */
static uint64_t number_of_field(const char *rest, int field)
{
        for (int at = 3; rest && at < field; at++) {
                rest = strchr(rest, ' ');
                rest = rest ? rest + 1 : NULL;
        }
        return rest ? strtoull(rest, NULL, 10) : 0;
}

/* The name is in parentheses, and may hold any byte. */
static bool parse_status(char *line, struct status *ret)
{
        char *name = strchr(line, '('), *end = strrchr(line, ')');

        if (!name || !end || end < name || strlen(end) < strlen(") S "))
                return false;
        *end = '\0';
        const char *rest = end + strlen(") ");
        *ret = (struct status){.name = name + 1,
                               .state = *rest,
                               .cpu_ticks = number_of_field(rest, 14) + number_of_field(rest, 15),
                               .born_ticks = number_of_field(rest, 22)};
        return true;
}

static void make_printable(char *name)
{
        for (; *name; name++)
                if (*name < ' ' || *name > '~')
                        *name = '?';
}

static double age_s(uint64_t born_ticks, long ticks_per_s)
{
        struct timespec now;

        clock_gettime(CLOCK_BOOTTIME, &now);
        double age = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)born_ticks / (double)ticks_per_s;
        return MAX_OF(age, 0.0);
}

static int append(struct tree *tree, pid_t pid, const struct status *status)
{
        char where[64];
        long ticks_per_s = sysconf(_SC_CLK_TCK);
        /* "0": it does not wait, or we may not know. */
        bool waits = read_file(pid, "wchan", where, sizeof(where)) && !text_equal(where, "0");

        make_printable(status->name);
        make_printable(where);
        return text_appendf(tree->text, "%s%s %d (%c%s%s, %.1f s old, CPU %.2f s)", tree->count > 0 ? ", " : "",
                            status->name, (int)pid, status->state, waits ? ", in " : "", waits ? where : "",
                            age_s(status->born_ticks, ticks_per_s), (double)status->cpu_ticks / (double)ticks_per_s);
}

/* False if it has gone, or there are too many. */
static bool describe(struct tree *tree, pid_t pid)
{
        char line[512];
        struct status status;

        if (tree->error < 0 || tree->count > PROCESS_TREE_MOST || !read_file(pid, "stat", line, sizeof(line)) ||
            !parse_status(line, &status))
                return false;
        tree->error = tree->count == PROCESS_TREE_MOST ? text_append(tree->text, ", …") : append(tree, pid, &status);
        tree->count++;
        return tree->error == 0;
}

static void look(void *context, pid_t pid)
{
        struct tree *tree = context;

        if (!describe(tree, pid) || tree->depth == PROCESS_TREE_DEPTH_MOST)
                return;
        tree->depth++;
        children_each(pid, look, tree);
        tree->depth--;
}

int process_tree_describe(pid_t pid, struct text *text)
{
        struct tree tree = {.text = text};

        children_each(pid, look, &tree);
        if (tree.error == 0 && tree.count == 0 && !describe(&tree, pid))
                return tree.error < 0 ? tree.error : -ESRCH;
        return tree.error;
}
