/** The pages as they should be, by path from the root. `read` returns a page as it is, or null. */
export declare function generateDocs(read?: (path: string) => string | null): Map<string, string>
export declare function readPage(path: string): string | null
