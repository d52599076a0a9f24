import { useQuery } from '@tanstack/react-query';
import { fetchStorage, type Storage, type StoredPart } from '../api/storage.ts';
import { useServices } from '../app/services.ts';
import { formatBytes, formatCount } from '../format/number-format.ts';
import { Badge } from '../ui/badge.tsx';
import { DataTable } from '../ui/data-table.tsx';
import { Fact, Facts } from '../ui/facts.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { Section } from '../ui/section.tsx';
import { DiskBar } from './disk-bar.tsx';
import { Forecast } from './forecast.tsx';
import { PARTS, spanText, volumeWords } from './storage-words.ts';
import styles from './storage.module.css';

const REFETCH_MS = 30_000;

/** What takes how much of the disk, and where that leads. */
export function DiskUse() {
  const { client } = useServices();
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ['storage'],
    queryFn: ({ signal }) => fetchStorage(client, signal),
    refetchInterval: REFETCH_MS,
  });
  return (
    <Section title="Disk">
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {isPending && <p className={styles.quiet}>Counting bytes…</p>}
      {data !== undefined && <Loaded storage={data} />}
    </Section>
  );
}

function Loaded({ storage }: { readonly storage: Storage }) {
  const { volume, parts, forecast } = storage;
  const { tone, text, note } = volumeWords(volume.state);
  return (
    <>
      <div className={styles.card} data-testid="volume" data-state={volume.state}>
        <Facts>
          <Fact name="Free">
            <strong>{formatBytes(volume.freeBytes)}</strong> of {formatBytes(volume.sizeBytes)} <Badge tone={tone}>{text}</Badge>
          </Fact>
          <Fact name="Floor of free space">
            {volume.floorBytes === 0 ? 'none' : formatBytes(volume.floorBytes)}
            <small className={styles.small}>
              {volume.whenShort === 'refuse' ? 'below it telemetry is refused' : 'below it the oldest raw telemetry goes'}
            </small>
          </Fact>
        </Facts>
        {note !== '' && <p role="alert">{note}</p>}
        <DiskBar storage={storage} />
      </div>
      <div className={styles.pair}>
        <DataTable label="What takes how much" isShort columns={['Part', 'Bytes', 'Files', 'Days']}>
          {PARTS.filter(({ key, always }) => always === true || parts[key].files > 0).map(({ key, label }) => (
            <PartRow key={key} id={key} label={label} part={parts[key]} />
          ))}
        </DataTable>
        <Forecast forecast={forecast} floorBytes={volume.floorBytes} />
      </div>
    </>
  );
}

function PartRow({ id, label, part }: { readonly id: string; readonly label: string; readonly part: StoredPart }) {
  return (
    <tr data-part={id}>
      <td data-label="Part">{label}</td>
      <td data-label="Bytes" className={styles.bytes}>
        {formatBytes(part.bytes)}
      </td>
      <td data-label="Files">{formatCount(part.files)}</td>
      <td data-label="Days">{spanText(part)}</td>
    </tr>
  );
}
