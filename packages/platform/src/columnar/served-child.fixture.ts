import { serveProcess, startArgument } from './serve-process.ts';
import { SelsynError } from '../kernel/errors.ts';

/** What the process of the tests answers. */
export type ChildCalls = {
  echo(value: unknown): unknown;
  start(argument: null): unknown;
  environment(argument: null): { readonly names: readonly string[]; readonly nice: number; readonly oomScore: string };
  fail(argument: null): never;
  crash(argument: null): never;
  exit(argument: null): never;
  never(argument: null): Promise<never>;
  spin(argument: null): never;
  allocate(argument: { readonly bytes: number }): Promise<void>;
};

const kept: Buffer[] = [];

if (process.send !== undefined) {
  const { getPriority } = await import('node:os');
  const { readFileSync } = await import('node:fs');
  const { setTimeout } = await import('node:timers/promises');
  serveProcess<ChildCalls>({
    echo: (value) => value,
    start: () => startArgument(),
    environment: () => ({
      names: Object.keys(process.env).sort(),
      nice: getPriority(),
      oomScore: readFileSync('/proc/self/oom_score_adj', 'utf8').trim(),
    }),
    fail: () => {
      throw new SelsynError('data.corrupt', 'it is broken', { details: { path: 'x' } });
    },
    crash: () => process.abort(),
    exit: () => process.exit(3),
    never: async () => await new Promise<never>(() => {}),
    spin: () => {
      for (;;);
    },
    allocate: async ({ bytes }) => {
      for (let taken = 0; taken < bytes; taken += 16 * 1024 * 1024) {
        kept.push(Buffer.alloc(16 * 1024 * 1024, 1));
        await setTimeout(1);
      }
    },
  });
}
