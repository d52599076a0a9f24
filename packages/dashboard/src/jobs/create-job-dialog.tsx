import { Button, Checkbox, Modal, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { createJob } from '../api/jobs.ts';
import type { Json } from '../api/json.ts';
import { useServices } from '../app/services.ts';
import { TargetListInput } from '../targets/target-list-input.tsx';
import dialog from '../ui/dialog.module.css';
import { JsonInput } from '../ui/json-input.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { EMPTY_JOB, jobDraft, type JobFaults, type JobForm } from './job-draft.ts';
import { JobRules } from './job-rules.tsx';
import styles from './jobs.module.css';

interface CreateJobProps {
  readonly onClose: () => void;
  readonly onCreated: (id: string) => void;
}

const KINDS = ['group', 'fleet', 'type', 'device'] as const;

export function CreateJobDialog({ opened, ...props }: CreateJobProps & { readonly opened: boolean }) {
  return (
    <Modal
      opened={opened}
      onClose={props.onClose}
      title="Create a job"
      size="lg"
      closeOnClickOutside={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <CreateJob {...props} />
    </Modal>
  );
}

function CreateJob({ onClose, onCreated }: CreateJobProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const [form, setForm] = useState(EMPTY_JOB);
  const [faults, setFaults] = useState<JobFaults>({});
  const create = useMutation({
    mutationFn: async (draft: Json) => await createJob(client, draft),
    onSuccess: ({ id }) => {
      for (const key of ['jobs', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
      onCreated(id);
    },
  });
  const change = (next: Partial<JobForm>) => {
    setForm({ ...form, ...next });
    setFaults({});
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const made = jobDraft(form);
    if ('faults' in made) setFaults(made.faults);
    else create.mutate(made.draft);
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <div className={styles.two}>
        <TextInput
          label="Id"
          placeholder="update-42"
          data-autofocus
          spellCheck={false}
          autoCapitalize="none"
          autoComplete="off"
          value={form.id}
          error={faults.id}
          onChange={(event) => change({ id: event.currentTarget.value.trim() })}
        />
        <TextInput
          label="Description (optional)"
          autoComplete="off"
          maxLength={2000}
          value={form.description}
          onChange={(event) => change({ description: event.currentTarget.value })}
        />
      </div>
      <TargetListInput
        kinds={KINDS}
        chosen={form.chosen}
        target={form.target}
        fault={faults.target ?? ''}
        onChange={(next) => change(next)}
      />
      <Checkbox
        label="Also devices that join later"
        description="The job stays open, and whoever comes to be meant gets it. Else: those that are meant now."
        checked={form.isContinuous}
        onChange={(event) => change({ isContinuous: event.currentTarget.checked })}
      />
      <JsonInput
        label="Document"
        description="What each device is given: a JSON object of at most 32 KB."
        rows={7}
        value={form.document}
        fault={faults.document ?? ''}
        onChange={(document) => change({ document })}
      />
      <JobRules form={form} faults={faults} onChange={change} />
      {create.error !== null && <ProblemNotice error={create.error} />}
      {Object.keys(faults).length > 0 && (
        <p role="alert" className={styles.wrong}>
          Something above is not right yet.
        </p>
      )}
      <div className={dialog.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={create.isPending}>
          Create
        </Button>
      </div>
    </form>
  );
}
