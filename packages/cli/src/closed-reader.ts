import type { EventEmitter } from 'node:events';

/** As of a program that SIGPIPE has ended. */
const CLOSED_READER = 141;

/** Ends the program without a word once whoever read its output has gone, as in `selsyn sql … | head`. */
export function endWithReader(output: EventEmitter, exit: (code: number) => void): void {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    exit(CLOSED_READER);
  });
}
