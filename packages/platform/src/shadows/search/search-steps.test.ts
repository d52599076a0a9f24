import { expect, test, vi } from 'vitest';
import { FakeClock } from '../../kernel/fake-clock.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import type { StateWriter } from '../../state/state-writer.ts';
import { Platform } from './platform.fixture.ts';
import { FieldFilling } from './search-calls.ts';
import { ShadowSearch, type SearchWork } from './shadow-search.ts';

test('looking through shadows goes on by itself after a step that could not be written', async () => {
  await using platform = await Platform.open();
  const clock = new FakeClock();
  const run = vi
    .fn<(domain: unknown, work: unknown) => Promise<unknown>>()
    .mockRejectedValueOnce(new SelsynError('state.busy', 'too much waits', { retryable: true }))
    .mockResolvedValueOnce({ kind: 'done', more: true })
    .mockResolvedValue({ kind: 'done', more: false });
  // Only what it is asked for counts.
  const writer = { run } as unknown as Pick<StateWriter, 'run'>;
  using filling = new FieldFilling({ search: new ShadowSearch(platform.state), writer, clock, logLines: silentLogLines });
  filling.start();
  await vi.waitFor(() => expect(run).toHaveBeenCalledTimes(1), { timeout: 120_000 });
  await vi.waitFor(
    () => {
      clock.advance(1_000);
      expect(run).toHaveBeenCalledTimes(3);
    },
    { timeout: 120_000 },
  );
});

test('what was taken over from a long queue is taken away some at a time', async () => {
  await using platform = await Platform.open();
  for (let start = 0; start < 5_000; start += 500) {
    const values = Array.from({ length: 500 }, (_, i) => ({
      device: `d${start + i}`,
      field_id: 99,
      value: null,
      sequence: start + i + 1,
    }));
    await platform.state.insertInto('shadow_field_value').values(values).execute();
  }
  const run = vi.spyOn(platform.writer, 'run');
  await platform.following.follow();
  const taken = run.mock.calls
    .map(([, work]) => work as SearchWork)
    .flatMap((work) => (work.kind === 'taken' ? [work.sequence] : []));
  expect(taken).toEqual([2_000, 4_000, 5_000]);
  expect(await platform.state.selectFrom('shadow_field_value').selectAll().execute()).toEqual([]);
});
