import { expect, test } from 'vitest';
import { systemActor } from '../audit/actor.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { PointDoor } from './point-door.ts';
import { FakePointIntake } from './points.fixture.ts';

test('others have their turn while many devices are looked up and made', async () => {
  let inTurn = 0;
  let most = 0;
  const took = (count: number): void => {
    most = Math.max(most, (inTurn += count));
  };
  const door = new PointDoor({
    intake: new FakePointIntake(),
    devices: {
      groupOf: async (ids) => {
        took([...ids].length);
        return new Map();
      },
      put: async (drafts) => {
        took(drafts.length);
        return drafts.map(({ id }) => ({ id, outcome: 'created' as const }));
      },
    },
    openMode: true,
    onDevicesMade: () => undefined,
    clock: new FakeClock(),
  });
  const writer = door.newWriter();
  for (let i = 0; i < 20_000; i++) writer.add(writer.device(`d${i}`), 1, [['v', 1]]);
  const grants = [{ permissions: new Set(['telemetry:write'] as const), group: '/' }];
  let isWatched = true;
  const watch = (): void => {
    inTurn = 0;
    if (isWatched) setImmediate(watch);
  };
  setImmediate(watch);
  const written = await door.write(writer, { actor: systemActor('test'), grants }, 'influx');
  isWatched = false;
  expect(written.points).toBe(20_000);
  expect(most).toBeLessThan(5_000);
});
