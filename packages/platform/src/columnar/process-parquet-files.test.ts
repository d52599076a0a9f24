import { expect, test } from 'vitest';
import type { DevicesOfType, HoursRequest } from './parquet-files.ts';
import { ProcessParquetFiles } from './process-parquet-files.ts';
import type { ServedProcess } from './served-process.ts';
import type { ParquetCalls } from './parquet-calls.ts';

/** A process that dies when the test says so: the next call is answered by another one, which knows nothing. */
class MortalProcess {
  readonly holders = new Set<object>();
  readonly calls: string[] = [];
  generation: object | undefined;
  diesBefore: string | undefined;

  call = (async (name: string) => {
    if (this.diesBefore === name) {
      this.generation = undefined;
      this.diesBefore = undefined;
    }
    this.generation ??= {};
    this.calls.push(`${name} ${this.holders.size}`);
    return name === 'writeHours' ? { files: [], leftOut: { count: 0, series: [] } } : undefined;
  }) as unknown as ServedProcess<ParquetCalls>['call'];

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function* types(): AsyncGenerator<DevicesOfType> {
  yield { type: 'meter', devices: ['a'] };
  yield { type: 'pump', devices: ['b'] };
}

const request = (): HoursRequest => ({ telemetryDir: '/', day: 1, hours: [1], folder: '/', types: types() });

test('hours are not written by a process that was not told the types of all devices', async () => {
  for (const diesBefore of [undefined, 'addTypes', 'writeHours']) {
    const process = new MortalProcess();
    const files = new ProcessParquetFiles(process);
    if (diesBefore !== 'addTypes') process.diesBefore = diesBefore;
    const source = {
      ...request(),
      types: (async function* () {
        for await (const some of types()) {
          yield some;
          if (diesBefore === 'addTypes') process.diesBefore ??= diesBefore;
        }
      })(),
    };
    const written = files.writeHours(source);
    if (diesBefore === undefined) await expect(written).resolves.toMatchObject({ files: [] });
    else await expect(written).rejects.toMatchObject({ code: 'columnar.gone', retryable: true });
    // Nor is one ended meanwhile for having nothing to do.
    expect(process.calls).toContain('addTypes 1');
    expect(process.holders.size).toBe(0);
  }
});
