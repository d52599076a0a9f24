import { Counter, Gauge, type Registry } from 'prom-client';
import type { Forwarding } from './forwarding.ts';

type Sums = ReturnType<Forwarding['sums']> extends Generator<infer S> ? S : never;

/** What each forwarder has done, and what lies before it. */
export function registerForwardingMetrics(registry: Registry, forwarding: Pick<Forwarding, 'sums'>): void {
  const gauge = (name: string, help: string, read: (sums: Sums) => number): void => {
    new Gauge({
      name: `selsyn_forwarder_${name}`,
      help,
      labelNames: ['forwarder'],
      registers: [registry],
      collect() {
        this.reset();
        for (const sums of forwarding.sums()) this.set({ forwarder: sums.id }, read(sums));
      },
    });
  };
  const counter = (name: string, help: string, read: (sums: Sums) => number): void => {
    new Counter({
      name: `selsyn_forwarder_${name}_total`,
      help,
      labelNames: ['forwarder'],
      registers: [registry],
      collect() {
        this.reset();
        for (const sums of forwarding.sums()) this.inc({ forwarder: sums.id }, read(sums));
      },
    });
  };
  gauge('lag_records', 'Records in the log that a forwarder has not looked at.', ({ lagRecords }) => lagRecords);
  gauge('failing', '1 while the target of a forwarder fails.', ({ isFailing }) => (isFailing ? 1 : 0));
  gauge('refusing', '1 while the target of a forwarder refuses all that it is sent.', ({ isRefused }) => (isRefused ? 1 : 0));
  gauge('refused_records', 'Records set aside because the target refused them.', ({ refused }) => refused);
  counter('sent', 'Records that the target of a forwarder has acknowledged.', ({ sent }) => sent);
  counter('sent_bytes', 'Payload bytes of these.', ({ sentBytes }) => sentBytes);
  counter('batches', 'Deliveries that were acknowledged.', ({ batches }) => batches);
  counter('failures', 'Deliveries that failed and were tried again.', ({ failures }) => failures);
  counter('filtered', 'Records that the filter of a forwarder left out.', ({ filtered }) => filtered);
  counter('skipped', 'Records that the log let go of before they could be sent.', ({ skipped }) => skipped);
  counter('undecodable', 'Records that are no telemetry, where samples are forwarded.', ({ undecodable }) => undecodable);
}
