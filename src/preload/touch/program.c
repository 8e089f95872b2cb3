#include "preload/touch/program.h"

#include <elf.h>

#include "base/cleanup.h"
#include "lib/sys.h"

#define SCRIPTS_MAX 4 /* interpreters that are scripts, too; the kernel has 5 */
#define HEAD 4096

static const char loader_name[] = "ld-linux-x86-64.so";

static bool has(const char *text, size_t size, const char *part)
{
        for (size_t i = 0; i < size; i++) {
                size_t length = 0;
                while (part[length] != '\0' && i + length < size && text[i + length] == part[length])
                        length++;
                if (part[length] == '\0')
                        return true;
        }
        return false;
}

static bool is_loaded_by_glibc(const char *head, size_t size)
{
        Elf64_Ehdr header;
        Elf64_Phdr part;

        if (size < sizeof(header))
                return false;
        __builtin_memcpy(&header, head, sizeof(header));
        if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
                return false;
        for (size_t i = 0; i < header.e_phnum; i++) {
                size_t at = header.e_phoff + i * sizeof(part);
                if (at > size - sizeof(part))
                        return false;
                __builtin_memcpy(&part, head + at, sizeof(part));
                if (part.p_type == PT_INTERP)
                        return part.p_offset < size && part.p_filesz <= size - part.p_offset &&
                               has(head + part.p_offset, part.p_filesz, loader_name);
        }
        return false;
}

/* The interpreter that the first line names, in place. */
static const char *interpreter(char *head, size_t size)
{
        size_t at = 2;

        while (at < size && (head[at] == ' ' || head[at] == '\t'))
                at++;
        char *path = head + at;
        while (at < size && head[at] != ' ' && head[at] != '\t' && head[at] != '\n' && head[at] != '\0')
                at++;
        if (at >= size)
                return NULL;
        head[at] = '\0';
        return path;
}

/* It runs with more rights than this process: then the loader loads nothing of ours. */
static bool has_more_rights(int fd)
{
        struct stat status = {0};

        return sys_fstat(fd, &status) != 0 || status.st_mode & (S_ISUID | S_ISGID) ||
               SYS_4(__NR_fgetxattr, fd, "security.capability", NULL, 0) > 0;
}

static bool is_executable(const char *path)
{
        return SYS_3(__NR_faccessat, AT_FDCWD, path, 1 /* X_OK */) == 0;
}

enum program_kind program_look(const char *path)
{
        static char head[HEAD];

        for (int i = 0; path && i < SCRIPTS_MAX; i++) {
                if (!is_executable(path))
                        return i == 0 ? PROGRAM_NONE : PROGRAM_CANNOT;
                int fd = sys_open(path);
                if (fd < 0)
                        return PROGRAM_CANNOT; /* it may be executed, but not read */
                bool plain = !has_more_rights(fd);
                long size = sys_pread(fd, head, sizeof(head) - 1);
                sys_close(fd);
                if (size < 2 || !plain)
                        return size < 2 && i == 0 ? PROGRAM_NONE : PROGRAM_CANNOT;
                if (head[0] != '#' || head[1] != '!')
                        return is_loaded_by_glibc(head, (size_t)size) ? PROGRAM_CAN_LOAD : PROGRAM_CANNOT;
                path = interpreter(head, (size_t)size);
        }
        return PROGRAM_CANNOT;
}
