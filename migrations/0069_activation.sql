-- The hash of the one-time code in the activation document by which a device was last tested by mail; null: it was tested
-- by HTTPS. The password of its mailbox follows from it, and the same test again has no second effect.
alter table monitor_mailboxes add column document text;
