import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeviceId } from '../kernel/device-id.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { openTestRegistry, type TestRegistry } from '../registry/registry.fixture.ts';
import { PresenceAlerts } from './presence-alerts.ts';

const MINUTE = 60_000;
const A = 'a' as DeviceId;
const B = 'b' as DeviceId;

describe('alerts of devices that are gone', () => {
  let registry: TestRegistry;
  let published: string[];
  beforeEach(async () => {
    registry = await openTestRegistry();
    published = [];
    await registry.devices.create({ id: A, group: '/x' });
    await registry.devices.create({ id: B, group: '/y' });
  });
  afterEach(async () => await registry[Symbol.asyncDispose]());

  const open = async () => {
    const alerts = new PresenceAlerts({
      database: registry.database,
      options: { offlineAfterMs: 5 * MINUTE, flapping: { losses: 5, windowMs: 10 * MINUTE } },
      publish: async (messages) => void published.push(...messages.map(({ topic }) => topic)),
      clock: registry.clock,
      logLines: silentLogLines,
    });
    await alerts.start();
    return alerts;
  };
  /** As main does: what is recorded is heard. */
  const turn = async (alerts: PresenceAlerts | undefined, deviceId: DeviceId, connected: boolean, reason?: string) => {
    const change = { deviceId, connected, atMs: registry.clock.now(), reason };
    await registry.connectivity.record([change]);
    alerts?.heard([change]);
  };
  const listed = async (alerts: PresenceAlerts, query: object = {}) =>
    (await alerts.store.list({ limit: 100, ...query })).map(
      ({ deviceId, kind, resolvedAtMs }) => `${deviceId} ${kind} ${resolvedAtMs === undefined ? 'open' : 'resolved'}`,
    );
  /** Time passes, a second at a time, with all that is written meanwhile. */
  const pass = async (alerts: PresenceAlerts, untilListed: readonly string[], ms: number) => {
    registry.clock.advance(ms);
    await expect
      .poll(async () => {
        registry.clock.advance(1_000);
        return await listed(alerts);
      })
      .toEqual(untilListed);
  };

  it('are raised after the time, with the reason, told to subscribers, and resolved when the device is back', async () => {
    await using alerts = await open();
    await turn(alerts, A, true);
    await turn(alerts, A, false, 'keep-alive');
    registry.clock.advance(4 * MINUTE);
    expect(await listed(alerts)).toEqual([]);
    await pass(alerts, ['a offline open'], MINUTE);
    const [alert] = await alerts.store.list({ limit: 1 });
    expect(alert).toMatchObject({ group: '/x', reason: 'keep-alive', losses: 1, sinceMs: 1000 });
    await turn(alerts, A, true);
    await pass(alerts, ['a offline resolved'], 0);
    expect(published).toEqual(['$selsyn/events/presence/raised/a', '$selsyn/events/presence/resolved/a']);
  });

  it('are listed by state, device and what the caller may see', async () => {
    await using alerts = await open();
    for (const device of [A, B]) await turn(alerts, device, false);
    await pass(alerts, ['b offline open', 'a offline open'], 5 * MINUTE);
    await turn(alerts, A, true);
    await pass(alerts, ['b offline open', 'a offline resolved'], 0);
    expect(await listed(alerts, { state: 'open' })).toEqual(['b offline open']);
    expect(await listed(alerts, { deviceId: A })).toEqual(['a offline resolved']);
    expect(await listed(alerts, { scope: { groups: ['/y'] } })).toEqual(['b offline open']);
    expect(await listed(alerts, { scope: { groups: [] } })).toEqual([]);
  });

  it('are not forgotten, nor raised twice, where the server ends meanwhile', async () => {
    {
      await using alerts = await open();
      await turn(alerts, A, false);
      await pass(alerts, ['a offline open'], 5 * MINUTE);
      await turn(alerts, B, true);
      await turn(alerts, B, false);
    }
    registry.clock.advance(30 * MINUTE);
    await using again = await open();
    await pass(again, ['b offline open', 'a offline open'], 1_000);
    await turn(again, A, true);
    await pass(again, ['b offline open', 'a offline resolved'], 0);
  });

  it('are raised after the time that has passed, wherever the clock is set meanwhile', async () => {
    const HOUR = 60 * MINUTE;
    {
      await using alerts = await open();
      registry.clock.step(HOUR);
      await turn(alerts, A, false);
      registry.clock.step(-HOUR);
      await turn(alerts, B, false);
      registry.clock.advance(4 * MINUTE);
      registry.clock.step(HOUR);
      registry.clock.advance(1_000);
      expect(await listed(alerts)).toEqual([]);
      await pass(alerts, ['b offline open', 'a offline open'], MINUTE);
      // What was decided is written now and then.
      await expect
        .poll(async () => {
          registry.clock.advance(MINUTE);
          const row = registry.database.selectFrom('registry_counter').select('value').where('name', '=', 'presence-decided');
          return Number((await row.executeTakeFirst())?.value ?? 0) > registry.clock.now() - HOUR;
        })
        .toBe(true);
      for (const device of [A, B]) await turn(alerts, device, true);
      await pass(alerts, ['b offline resolved', 'a offline resolved'], 0);
    }
    registry.clock.step(-HOUR);
    await registry.connectivity.disconnectAll(registry.clock.now());
    await using again = await open();
    registry.clock.advance(4 * MINUTE);
    expect(await listed(again, { state: 'open' })).toEqual([]);
    registry.clock.advance(MINUTE);
    await expect
      .poll(async () => {
        registry.clock.advance(1_000);
        return (await listed(again, { state: 'open' })).toSorted();
      })
      .toEqual(['a offline open', 'b offline open']);
  });

  it('go with their device', async () => {
    await using alerts = await open();
    for (const device of [A, B]) await turn(alerts, device, false);
    await registry.devices.remove(A);
    await pass(alerts, ['b offline open'], 5 * MINUTE);
    await registry.devices.remove(B);
    expect(await listed(alerts)).toEqual([]);
    await expect
      .poll(() => {
        registry.clock.advance(MINUTE);
        return alerts.watched;
      })
      .toBe(0);
  });
});
