import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { localCaller } from '../kernel/thread-channel.ts';
import type { Sealer } from '../secrets/sealer.ts';
import type { ForwarderState, ForwardingCalls, OpenForwarder, RefusedRecord } from './forwarder.ts';
import { ForwarderService } from './forwarder-service.ts';
import { ForwarderStore } from './forwarder-store.ts';

/** Stands for the thread: knows what it was given, and sends nothing. */
export class FakeForwarding {
  readonly open = new Map<string, OpenForwarder>();
  readonly resets: { readonly id: string; readonly to: string }[] = [];
  refused: readonly RefusedRecord[] = [];

  readonly calls: ForwardingCalls = {
    putForwarder: async (open) => void this.open.set(open.forwarder.id, open),
    removeForwarder: async (id) => void this.open.delete(id),
    forwarderStates: async () => [...this.open.keys()].map(stateOf),
    testForwarder: async () => ({ ok: false, durationMs: 3, message: 'nobody is there' }),
    resetForwarder: async (reset) => void this.resets.push(reset),
    refusedRecords: async ({ after, limit }) => this.refused.filter(({ number }) => number > after).slice(0, limit),
    resendRefused: async () => ({ sent: 1, left: 2 }),
    forgetForwarded: async () => undefined,
    discardRefused: async () => ({ discarded: this.refused.length }),
  };
}

/** Forwarders over a real store. */
export function testForwarders(
  dependencies: { readonly database: Database; readonly clock: Clock; readonly sealer: Sealer },
  forwarding = new FakeForwarding(),
): ForwarderService {
  return new ForwarderService({ store: new ForwarderStore(dependencies), calls: localCaller(forwarding.calls) });
}

function stateOf(id: string): ForwarderState {
  return {
    id,
    lagRecords: 5,
    lagSeconds: 1.5,
    lagBytes: 400,
    sent: 7,
    sentBytes: 700,
    batches: 2,
    failures: 1,
    filtered: 3,
    skipped: 0,
    undecodable: 0,
    refused: 0,
    refusedInRow: 0,
    health: 'well',
    circuit: 'closed',
    lastError: { message: 'answered with the status 503', atMs: 9 },
    partitions: [{ partition: 0, position: 10, end: 15 }],
  };
}
