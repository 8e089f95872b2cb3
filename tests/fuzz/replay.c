/* A harness without a fuzzer: calls it with each file of the directories that are given, and says so as TAP. */
#include <dirent.h>

#include "fuzz.h"

static void replay(const char *directory, const char *name)
{
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        FILE *file = fopen(path, "re");
        MUST(file);
        uint8_t *data = malloc(1 << 20);
        MUST(data);
        size_t size = fread(data, 1, 1 << 20, file);
        fclose(file);
        uint8_t *exact = malloc(size + (size == 0));
        MUST(exact);
        memcpy(exact, data, size);
        free(data);
        fprintf(stderr, "%s\n", path); /* the last one is what failed */
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
}

int main(int argc, char **argv)
{
        unsigned count = 0;

        LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
        for (int i = 1; i < argc; i++) {
                DIR *directory = opendir(argv[i]);
                MUST(directory);
                for (const struct dirent *entry; (entry = readdir(directory));)
                        if (entry->d_name[0] != '.') {
                                replay(argv[i], entry->d_name);
                                count++;
                        }
                closedir(directory);
        }
        printf("1..1\n%s 1 - %u inputs\n", count > 0 ? "ok" : "not ok", count);
        return count > 0 ? 0 : 1;
}
