import { useSyncExternalStore } from 'react';
import { total } from '../api/stats.ts';
import { useServices } from '../app/services.ts';
import { formatBytes, formatCompact, formatCount, formatDuration } from '../format/number-format.ts';
import { useWatch } from '../live/use-latest.ts';
import { DeadLetters } from './dead-letters.tsx';
import { QosRates } from './qos-rates.tsx';
import styles from './server-page.module.css';
import { StatCard } from './stat-card.tsx';
import { Threads } from './threads.tsx';
import { formatUptime } from './uptime.ts';

const NO_DEVICES: readonly string[] = [];

/** The server's own rates over the last three minutes. */
export function ServerPage() {
  const { stats } = useServices();
  useWatch(NO_DEVICES);
  const history = useSyncExternalStore(stats.subscribe, stats.items);
  const now = history.at(-1);
  return (
    <>
      <div className={styles.head}>
        <h1>Server</h1>
        <dl className={styles.facts}>
          <Fact name="Version" value={now?.version ?? '–'} />
          <Fact name="Up for" value={now === undefined ? '–' : formatUptime(now.uptimeMs)} />
          <Fact name="Devices" value={now === undefined ? '–' : formatCount(now.devices)} />
          <Fact name="Memory" value={now === undefined ? '–' : formatBytes(now.memoryBytes)} />
        </dl>
      </div>
      <div className={styles.grid} aria-busy={now === undefined}>
        <StatCard
          id="messages-in"
          title="Messages in"
          unit="/s"
          color={1}
          history={history}
          value={(s) => total(s.messagesInPerSecond)}
          format={formatCompact}
        >
          <QosRates rates={now?.messagesInPerSecond} />
        </StatCard>
        <StatCard
          id="messages-out"
          title="Messages out"
          unit="/s"
          color={2}
          history={history}
          value={(s) => total(s.messagesOutPerSecond)}
          format={formatCompact}
        >
          <QosRates rates={now?.messagesOutPerSecond} />
        </StatCard>
        <StatCard
          id="points"
          title="Points"
          unit="/s"
          color={3}
          history={history}
          value={(s) => s.pointsPerSecond}
          format={formatCompact}
        >
          {now && `${formatBytes(now.bytesInPerSecond)}/s received`}
        </StatCard>
        <StatCard
          id="connections"
          title="Connections"
          color={4}
          history={history}
          value={(s) => s.connections}
          format={formatCount}
        >
          {now && `${formatCount(now.devices)} registered`}
        </StatCard>
        <StatCard
          id="log-append"
          title="Log appends"
          unit="/s"
          color={5}
          history={history}
          value={(s) => s.log.recordsPerSecond}
          format={formatCompact}
        >
          {now && `${formatCompact(now.log.syncsPerSecond)} syncs/s`}
        </StatCard>
        <StatCard
          id="log-sync"
          title="Log sync time"
          color={6}
          history={history}
          value={(s) => s.log.syncMs}
          format={formatDuration}
        >
          {now &&
            now.log.syncsPerSecond > 0 &&
            `${formatCompact(now.log.recordsPerSecond / now.log.syncsPerSecond)} records/sync`}
        </StatCard>
        <StatCard id="lag" title="Consumer lag" color={7} history={history} value={(s) => s.log.lagMs} format={formatDuration}>
          {now && `${formatCount(now.log.lagRecords)} records behind`}
        </StatCard>
        <StatCard
          id="bytes-a-point"
          title="Bytes a point"
          color={8}
          history={history}
          value={(s) => s.store.bytesPerPoint}
          format={(value) => (value === 0 ? '–' : value.toFixed(2))}
        >
          {now && `${formatCompact(now.store.points)} points in ${formatBytes(now.store.bytes)}`}
        </StatCard>
      </div>
      <Threads history={history} />
      <DeadLetters />
    </>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
