import { Button, Checkbox, NativeSelect, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useId, useState, type FormEvent } from 'react';
import { sendCommand } from '../api/commands.ts';
import type { Device } from '../api/devices.ts';
import { useServices } from '../app/services.ts';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { commandDraft, EMPTY_COMMAND, KEEP_FOR, type CommandFaults, type CommandForm } from './command-draft.ts';
import styles from './commands.module.css';

const MODES = [
  { value: 'now', label: 'Now, or not at all' },
  { value: 'queue', label: 'When the device is there' },
];

interface SendFormProps {
  readonly device: Device;
  /** Of commands that were given before. */
  readonly names: readonly string[];
}

export function SendForm({ device, names }: SendFormProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const namesId = useId();
  const [form, setForm] = useState(EMPTY_COMMAND);
  const [faults, setFaults] = useState<CommandFaults>({});
  const send = useMutation({
    mutationFn: sendCommand.bind(null, client, device.id),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ['commands', device.id] }),
  });
  const change = (next: Partial<CommandForm>) => {
    setForm({ ...form, ...next });
    setFaults({});
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const made = commandDraft(form);
    if ('faults' in made) setFaults(made.faults);
    else send.mutate(made.draft);
  };
  const isConnected = device.connectivity?.connected === true;
  return (
    <form className={styles.form} aria-label="Give a command" onSubmit={submit}>
      <div className={styles.fields}>
        <TextInput
          label="Command"
          placeholder="reboot"
          list={namesId}
          spellCheck={false}
          autoCapitalize="none"
          autoComplete="off"
          value={form.name}
          error={faults.name}
          onChange={(event) => change({ name: event.currentTarget.value.trim() })}
        />
        <datalist id={namesId}>
          {names.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <div className={styles.pair}>
          <NativeSelect
            label="Send it"
            data={MODES}
            value={form.mode}
            onChange={(event) => change({ mode: event.currentTarget.value === 'now' ? 'now' : 'queue' })}
          />
          {form.mode === 'now' ? (
            <TextInput
              label="Within (seconds)"
              inputMode="decimal"
              value={form.timeoutSec}
              error={faults.timeoutSec}
              onChange={(event) => change({ timeoutSec: event.currentTarget.value.replace(/[^\d.]/g, '').slice(0, 5) })}
            />
          ) : (
            <NativeSelect
              label="Keep it for"
              data={[...KEEP_FOR]}
              value={form.keepFor}
              onChange={(event) => change({ keepFor: event.currentTarget.value })}
            />
          )}
        </div>
        <Checkbox
          label="No answer is expected"
          checked={form.isOneWay}
          onChange={(event) => change({ isOneWay: event.currentTarget.checked })}
        />
      </div>
      <Textarea
        label="Payload (optional)"
        placeholder='{"delaySec": 5}'
        rows={6}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        value={form.payload}
        error={faults.payload}
        onChange={(event) => change({ payload: event.currentTarget.value })}
      />
      {send.error !== null && (
        <div className={styles.send}>
          <ProblemNotice error={send.error} />
        </div>
      )}
      <div className={styles.send}>
        <p className={styles.note}>{noteOf(form, isConnected)}</p>
        <Button type="submit" loading={send.isPending} disabled={form.name === ''}>
          Send
        </Button>
      </div>
    </form>
  );
}

function noteOf({ mode }: CommandForm, isConnected: boolean): string {
  if (isConnected) return 'The device is connected. What becomes of the command shows below as it happens.';
  return mode === 'now'
    ? 'The device is not connected: unless it comes back in that time, the command expires.'
    : 'The device is not connected: it gets the command when it comes back.';
}
