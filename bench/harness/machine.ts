import { execFileSync } from 'node:child_process';
import { arch, cpus, release, totalmem } from 'node:os';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** What a result was measured on, with the versions of the peers that took part. */
export function describeMachine(versions: Readonly<Record<string, string>> = {}): Machine {
  return {
    processor: cpus()[0]?.model ?? arch(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.versions.node,
    versions,
  };
}

/** The first line a program says of its version, or `undefined` where it is not installed. */
export function versionOf(program: string, args: readonly string[], pattern: RegExp): string | undefined {
  try {
    return pattern.exec(execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }))?.[0];
  } catch (error) {
    // Some print their version and exit with an error.
    const text = error instanceof Error && 'stdout' in error ? `${String(error.stdout)}` : '';
    return pattern.exec(text)?.[0];
  }
}
