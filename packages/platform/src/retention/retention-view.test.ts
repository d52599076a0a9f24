import { expect, test } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { OPERATOR, RetentionHarness } from './retention.fixture.ts';

test('rules are known by a short key, which changes with them, however many devices have left what is held', async () => {
  await using retention = await RetentionHarness.open();
  const { holds, registry, runner } = retention;
  const key = async (): Promise<string> => (await runner.view.rules()).key;
  for (const id of ['a', 'b']) await retention.device(id, { type: 'meter' });
  const keys = [await key()];
  await holds.create({ kind: 'type', deviceType: 'meter' }, 'a case', OPERATOR);
  keys.push(await key());
  for (const id of ['a', 'b']) {
    await registry.devices.update(parseDeviceId(id), { type: null }, OPERATOR);
    keys.push(await key());
  }
  expect(new Set(keys).size).toBe(4);
  expect(Math.max(...keys.map(({ length }) => length))).toBeLessThan(64);
});
