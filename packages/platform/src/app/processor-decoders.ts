import { join } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import type { Registry } from 'prom-client';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { SqliteDeviceFacts } from '../payloads/drivers/sqlite-device-facts.ts';
import { Births } from '../payloads/sparkplug/births.ts';
import { CertificateStore } from '../payloads/sparkplug/certificate-store.ts';
import { RebirthRequests } from '../payloads/sparkplug/rebirth-requests.ts';
import { Sparkplug } from '../payloads/sparkplug/sparkplug-decoder.ts';
import { registerSparkplugMetrics } from '../payloads/sparkplug/sparkplug-metrics.ts';
import { ScriptRunner } from '../sandbox/script-runner.ts';
import type { DataPaths } from './data-folder.ts';
import { SparkplugNews } from './sparkplug-news.ts';

/** How the processor thread reads messages: by the types of devices, by scripts, as Sparkplug. */
export interface ProcessorDecoders extends Disposable {
  readonly facts: SqliteDeviceFacts;
  readonly memory: Births;
  readonly sparkplug: Sparkplug;
}

/** @param options.news takes what main has to do for edge nodes (SparkplugDesk) */
export function openProcessorDecoders(options: {
  readonly paths: DataPaths;
  readonly clock: Clock;
  readonly news: MessagePort;
  readonly metrics: Registry;
  readonly logLines: LogLines;
}): ProcessorDecoders {
  const { paths, clock, metrics, logLines } = options;
  const news = new SparkplugNews(options.news);
  const scripts = new ScriptRunner();
  const memory = new Births({
    store: new CertificateStore(join(paths.telemetry, 'sparkplug.db')),
    onBroken: (aside) => logLines.error({ aside }, 'Births of Sparkplug cannot be read: edge nodes are asked for new ones'),
  });
  const rebirths = new RebirthRequests({ clock, send: (request) => news.rebirth(request) });
  const sparkplug = new Sparkplug({ births: memory, rebirths, onBorn: (id, nodeId) => news.born(id, nodeId) });
  const facts = new SqliteDeviceFacts(paths.registry, { scripts, sparkplug });
  registerSparkplugMetrics(metrics, { sparkplug, rebirths });
  return {
    facts,
    memory,
    sparkplug,
    [Symbol.dispose]: () => {
      facts[Symbol.dispose]();
      scripts[Symbol.dispose]();
      news[Symbol.dispose]();
    },
  };
}
