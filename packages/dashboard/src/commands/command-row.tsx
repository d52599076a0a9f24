import { Button } from '@mantine/core';
import type { Command, CommandAnswer } from '../api/commands.ts';
import { formatTime } from '../format/age.ts';
import { formatDuration } from '../format/number-format.ts';
import { Badge } from '../ui/badge.tsx';
import { DetailRow } from '../ui/detail-row.tsx';
import { JsonBlock } from '../ui/json-block.tsx';
import { StateTimes } from '../ui/state-times.tsx';
import { When } from '../ui/when.tsx';
import { commandTone, commandWords, isUnderWay } from './command-state.ts';
import styles from './commands.module.css';

export const COMMAND_COLUMNS = ['Command', 'State', 'Given', 'Took', 'Answer', ''] as const;

interface CommandRowProps {
  readonly command: Command;
  readonly isConnected: boolean;
  /** Absent: it may not be cancelled. */
  readonly onCancel: ((command: Command) => void) | undefined;
}

export function CommandRow({ command, isConnected, onCancel }: CommandRowProps) {
  const { id, name, payload, state, createdAtMs, finishedAtMs, createdBy, reason, answer, progress } = command;
  return (
    <DetailRow
      about={{ 'data-command': id, 'data-state': state }}
      label="Command"
      title={name}
      note={payload === undefined ? undefined : <code className={styles.brief}>{JSON.stringify(payload)}</code>}
      columns={COMMAND_COLUMNS.length}
      details={() => <CommandDetails command={command} />}
    >
      <td data-label="State">
        <span>
          <Badge tone={commandTone(state)}>{state}</Badge>
          <small>{reason ?? commandWords(state, isConnected)}</small>
        </span>
      </td>
      <td data-label="Given">
        <span>
          <When timeMs={createdAtMs} />
          <small>{createdBy.name}</small>
        </span>
      </td>
      <td data-label="Took">{finishedAtMs === undefined ? '–' : formatDuration(finishedAtMs - createdAtMs)}</td>
      <td data-label="Answer">
        <code className={styles.brief}>{briefOf(answer?.payload ?? (isUnderWay(state) ? progress?.payload : undefined))}</code>
      </td>
      <td className={styles.action}>
        {onCancel !== undefined && isUnderWay(state) && (
          <Button variant="default" size="compact-xs" aria-label={`Cancel ${name}`} onClick={() => onCancel(command)}>
            Cancel
          </Button>
        )}
      </td>
    </DetailRow>
  );
}

function CommandDetails({ command }: { readonly command: Command }) {
  const { id, payload, history, sends, oneWay, sendUntilMs, expiresAtMs, answer, lateAnswer, progress } = command;
  return (
    <div className={styles.details}>
      <div>
        <h3>States</h3>
        <StateTimes label="States" states={history.map(({ state, atMs }) => ({ key: state, label: state, atMs }))} />
      </div>
      <div>
        <h3>Delivery</h3>
        <p>
          {sends === 0 ? 'Not sent yet' : `Sent ${sends === 1 ? 'once' : `${sends} times`}`}, until {formatTime(sendUntilMs)};{' '}
          {oneWay ? 'no answer is expected' : `an answer counts until ${formatTime(expiresAtMs)}`}.
        </p>
        <p>
          Id <code>{id}</code>
        </p>
      </div>
      {payload !== undefined && <Part title="Payload" value={payload} />}
      {progress !== undefined && answer === undefined && (
        <Part title={`Progress at ${formatTime(progress.atMs)}`} value={progress.payload} />
      )}
      {answer !== undefined && <Answer title="Answer" answer={answer} />}
      {lateAnswer !== undefined && <Answer title="Answer that came too late, and does not count" answer={lateAnswer} />}
    </div>
  );
}

function Answer({ title, answer }: { readonly title: string; readonly answer: CommandAnswer }) {
  if (answer.payload === undefined && answer.reason === undefined) return null;
  return <Part title={`${title}: ${answer.outcome}`} value={answer.payload ?? answer.reason} />;
}

function Part({ title, value }: { readonly title: string; readonly value: unknown }) {
  return (
    <div>
      <h3>{title}</h3>
      <JsonBlock label={title} value={value ?? 'nothing'} />
    </div>
  );
}

function briefOf(value: unknown): string {
  if (value === undefined) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
