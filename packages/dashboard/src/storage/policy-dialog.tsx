import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useState, type FormEvent } from 'react';
import { fetchDeviceTypes } from '../api/device-types.ts';
import { DEFAULT_POLICY, KEPT_LEVELS, putRetentionPolicy, type RetentionPolicy } from '../api/retention.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import dialog from '../ui/dialog.module.css';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { DryRun } from './dry-run.tsx';
import { formOf, policyOf, type PolicyFaults, type PolicyForm } from './policy-draft.ts';
import { LEVEL_NAMES } from './storage-words.ts';
import styles from './storage.module.css';

interface PolicyDialogProps {
  /** Undefined: a new one. */
  readonly edited: RetentionPolicy | undefined;
  readonly onClose: () => void;
}

const PLAIN = { spellCheck: false, autoCapitalize: 'none', autoComplete: 'off' } as const;

export function PolicyDialog({ opened, ...props }: PolicyDialogProps & { readonly opened: boolean }) {
  return (
    <Modal
      opened={opened}
      onClose={props.onClose}
      title={props.edited === undefined ? 'Add a retention policy' : `Policy ${props.edited.name}`}
      size="xl"
      closeOnClickOutside={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <PolicyFields {...props} />
    </Modal>
  );
}

function PolicyFields({ edited, onClose }: PolicyDialogProps) {
  const { client } = useServices();
  const { may } = useWho();
  const queries = useQueryClient();
  const listId = useId();
  const [form, setForm] = useState<PolicyForm>(() => formOf(edited));
  const [faults, setFaults] = useState<PolicyFaults>({});
  const [tried, setTried] = useState<RetentionPolicy>();
  const types = useQuery({
    queryKey: ['device-types'],
    queryFn: ({ signal }) => fetchDeviceTypes(client, signal),
    enabled: may('types:read'),
  });
  const put = useMutation({
    mutationFn: putRetentionPolicy.bind(null, client),
    onSuccess: onClose,
    onSettled: () => {
      for (const key of ['retention', 'storage', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const change = (next: Partial<PolicyForm>) => {
    setForm({ ...form, ...next });
    setFaults({});
    setTried(undefined);
  };
  const read = (): RetentionPolicy | undefined => {
    const made = policyOf(form);
    if ('faults' in made) setFaults(made.faults);
    return 'faults' in made ? undefined : made.policy;
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const policy = read();
    if (policy !== undefined) put.mutate(policy);
  };
  return (
    <form className={dialog.form} onSubmit={submit}>
      {edited === undefined && (
        <TextInput
          {...PLAIN}
          label="Name"
          placeholder="vibration-short"
          data-autofocus
          value={form.name}
          error={faults.name}
          onChange={(event) => change({ name: event.currentTarget.value.trim() })}
        />
      )}
      {form.name === DEFAULT_POLICY && edited !== undefined ? (
        <p>It holds for all that no other policy says something of.</p>
      ) : (
        <div className={styles.three}>
          <TextInput
            {...PLAIN}
            label="Devices of type"
            placeholder="any"
            list={listId}
            value={form.deviceType}
            error={faults.deviceType}
            onChange={(event) => change({ deviceType: event.currentTarget.value })}
          />
          <datalist id={listId}>
            {types.data?.map((type) => (
              <option key={type} value={type} />
            ))}
          </datalist>
          <TextInput
            {...PLAIN}
            label="In the group, and below"
            placeholder="any"
            value={form.group}
            onChange={(event) => change({ group: event.currentTarget.value })}
          />
          <TextInput
            {...PLAIN}
            label="Metric (* for any characters)"
            placeholder="any"
            value={form.metric}
            onChange={(event) => change({ metric: event.currentTarget.value })}
          />
        </div>
      )}
      <fieldset className={styles.kept}>
        <legend>Days that are kept: a number, for ever, or nothing: as a less specific policy has it</legend>
        {KEPT_LEVELS.map((level) => (
          <TextInput
            {...PLAIN}
            key={level}
            label={LEVEL_NAMES[level]}
            value={form.days[level]}
            error={faults[level]}
            onChange={(event) => change({ days: { ...form.days, [level]: event.currentTarget.value } })}
          />
        ))}
      </fieldset>
      {tried !== undefined && <DryRun policies={[tried]} mayRun={false} />}
      {put.error !== null && <ProblemNotice error={put.error} />}
      <div className={dialog.actions}>
        <Button variant="default" onClick={() => setTried(read())}>
          What would go
        </Button>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={put.isPending}>
          Save
        </Button>
      </div>
    </form>
  );
}
