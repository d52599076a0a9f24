import { describe, expect, it } from 'vitest';
import { CLOSE_REASONS, type CloseReason } from './close-reasons.ts';
import { DISCONNECT_REASONS, Presence, type PresentClient } from './presence.ts';

const CLIENT: PresentClient = {
  clientId: 'd1',
  principalId: 'device-1',
  ipAddress: '192.0.2.1',
  thread: 3,
  stamp: 71,
};

function watch(wanted: (topic: string) => boolean): { presence: Presence; got: [string, unknown][]; asked: string[] } {
  const got: [string, unknown][] = [];
  const asked: string[] = [];
  const presence = new Presence({
    isWanted: (topic) => {
      asked.push(topic);
      return wanted(topic);
    },
    publish: ({ topic, payload }) => got.push([topic, JSON.parse(Buffer.from(payload).toString()) as unknown]),
  });
  return { presence, got, asked };
}

describe('presence events', () => {
  it('have the topics and fields that AWS IoT Core documents', () => {
    const { presence, got } = watch(() => true);
    presence.connected(CLIENT, 1_573_002_230_757);
    presence.subscribed(CLIENT, ['foo/bar', 'cat'], 1_573_002_230_760);
    presence.unsubscribed(CLIENT, ['cat'], 1_573_002_230_770);
    presence.disconnected(CLIENT, 'keep-alive', 1_573_002_340_451);
    const common = { clientId: 'd1', sessionIdentifier: '1z-3', principalIdentifier: 'device-1' };
    expect(got).toEqual([
      [
        '$aws/events/presence/connected/d1',
        { ...common, timestamp: 1_573_002_230_757, eventType: 'connected', ipAddress: '192.0.2.1', versionNumber: 71 },
      ],
      [
        '$aws/events/subscriptions/subscribed/d1',
        { ...common, timestamp: 1_573_002_230_760, eventType: 'subscribed', topics: ['foo/bar', 'cat'] },
      ],
      [
        '$aws/events/subscriptions/unsubscribed/d1',
        { ...common, timestamp: 1_573_002_230_770, eventType: 'unsubscribed', topics: ['cat'] },
      ],
      [
        '$aws/events/presence/disconnected/d1',
        {
          ...common,
          timestamp: 1_573_002_340_451,
          eventType: 'disconnected',
          clientInitiatedDisconnect: false,
          disconnectReason: 'MQTT_KEEP_ALIVE_TIMEOUT',
          ipAddress: '192.0.2.1',
          versionNumber: 71,
        },
      ],
    ]);
  });

  it('are not made where nobody subscribes: one question each', () => {
    const { presence, got, asked } = watch(() => false);
    presence.connected(CLIENT, 1);
    presence.disconnected(CLIENT, 'connection-lost', 2);
    presence.subscribed(CLIENT, [], 3);
    expect(got).toEqual([]);
    expect(asked).toEqual(['$aws/events/presence/connected/d1', '$aws/events/presence/disconnected/d1']);
  });

  it('say that the client began it only when it sent DISCONNECT', () => {
    const { presence, got } = watch(() => true);
    const reasons = Object.keys(CLOSE_REASONS) as CloseReason[];
    for (const reason of reasons) presence.disconnected(CLIENT, reason, 1);
    const begun = reasons.filter((_, n) => (got[n]?.[1] as Record<string, unknown> | undefined)?.['clientInitiatedDisconnect']);
    expect(begun).toEqual(['client-disconnect', 'client-disconnect-with-will']);
    expect(new Set(Object.values(DISCONNECT_REASONS))).not.toContain(undefined);
  });

  it.each(['a+b', '#', 'x/+/y', 'c'.repeat(65_510)])(
    'do not exist for the client id %.10s, which fits into no topic',
    (clientId) => {
      const { presence, got, asked } = watch(() => true);
      presence.connected({ ...CLIENT, clientId }, 1);
      presence.disconnected({ ...CLIENT, clientId }, 'connection-lost', 2);
      presence.subscribed({ ...CLIENT, clientId }, ['a'], 3);
      expect([got, asked]).toEqual([[], []]);
    },
  );
});
