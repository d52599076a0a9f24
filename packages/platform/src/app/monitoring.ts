import { AuditChecks } from '../checks/audit-checks.ts';
import type { OwnMessage } from '../broker/own-message.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import { checkRules, clientFactsOf } from './client-facts.ts';
import type { Config } from './config-schema.ts';
import type { MetricsHub } from './metrics-hub.ts';
import { StatsSampler } from './stats-sampler.ts';
import { SysPublisher } from './sys-publisher.ts';

/** What looks at the platform while it runs: its rates, `$SYS`, and the audit checks. */
export async function startMonitoring(options: {
  readonly config: Config;
  readonly database: Database;
  readonly devices: Pick<DeviceStore, 'count'>;
  readonly gateways: Parameters<typeof clientFactsOf>[0];
  readonly mqttPort: number;
  readonly metrics: MetricsHub;
  /** To the subscribers of all gateway threads. */
  readonly publish: (messages: readonly OwnMessage[]) => Promise<void>;
  readonly version: string;
  readonly clock: Clock;
  readonly logLines: LogLines;
  /** What ends with the platform is added. */
  readonly ending: AsyncDisposableStack;
}): Promise<{ readonly stats: StatsSampler; readonly checks: AuditChecks }> {
  const { config, database, devices, gateways, mqttPort, metrics, publish, version, clock, logLines, ending } = options;
  const snapshots = async () => await metrics.snapshots();
  const countDevices = async (): Promise<number> => await devices.count();
  const stats = ending.use(new StatsSampler({ snapshots, countDevices, clock, logLines, version, mqttPort }));
  stats.start();
  const { sysIntervalSec: intervalSec } = config.mqtt;
  const sys = ending.use(new SysPublisher({ snapshots, publish, clock, logLines, version, intervalSec }));
  sys.start();
  const checks = ending.use(
    new AuditChecks({
      database,
      clients: clientFactsOf(gateways),
      rules: checkRules(config),
      isLogging: config.logLevel !== 'silent',
      clock,
      logLines,
    }),
  );
  await checks.start();
  return { stats, checks };
}
