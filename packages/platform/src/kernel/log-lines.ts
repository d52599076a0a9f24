import { pino, type Logger } from 'pino';

export type LogLines = Logger;

/** Structured lines on standard error: a fixed sentence and fields; `thread` tells where they come from. */
export function openLogLines(options: { readonly level: string; readonly thread: string }): LogLines {
  return pino({ level: options.level, base: { thread: options.thread } }, pino.destination({ fd: 2, sync: true }));
}

/** For tests and tools that have nothing to say. */
export const silentLogLines: LogLines = pino({ level: 'silent' });
