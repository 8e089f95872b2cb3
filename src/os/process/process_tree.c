#include "os/process/process_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/process/children.h"
#include "os/process/process_stat.h"

struct tree {
        struct text *text;
        unsigned count, depth;
        int error;
};

/* Where it waits in the kernel. False: it does not, or we may not know. */
static bool read_wait(pid_t pid, char *where, size_t size)
{
        char path[32];

        snprintf(path, sizeof(path), "/proc/%d/wchan", (int)pid);
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, where, size - 1);
        where[length > 0 ? length : 0] = '\0';
        return length > 0 && !text_equal(where, "0");
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

static int append(struct tree *tree, pid_t pid, struct process_stat *stat)
{
        char where[64];
        long ticks_per_s = sysconf(_SC_CLK_TCK);
        bool waits = read_wait(pid, where, sizeof(where));

        make_printable(stat->name);
        make_printable(where);
        return text_appendf(tree->text, "%s%s %d (%c%s%s, %.1f s old, CPU %.2f s)", tree->count > 0 ? ", " : "",
                            stat->name, (int)pid, stat->state, waits ? ", in " : "", waits ? where : "",
                            age_s(stat->born_ticks, ticks_per_s), (double)stat->cpu_ticks / (double)ticks_per_s);
}

/* False if it has gone, or there are too many. */
static bool describe(struct tree *tree, pid_t pid)
{
        struct process_stat stat;

        if (tree->error < 0 || tree->count > PROCESS_TREE_MOST || !process_stat_read(pid, &stat))
                return false;
        tree->error = tree->count == PROCESS_TREE_MOST ? text_append(tree->text, ", …") : append(tree, pid, &stat);
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
