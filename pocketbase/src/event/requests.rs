//! What events of requests carry beside the request itself.

use std::{sync::Arc, time::Duration};

use engine::{event, realtime::Client};
use serde_json::{Map, Value};

use super::Event;
use crate::{collection::Collection, record::Record};

macro_rules! clients {
    ($($event:ident),*) => {$(
        impl Event<event::$event> {
            /// The realtime client.
            #[must_use]
            pub fn client(&self) -> Option<Arc<Client>> {
                Some(self.inner.client.clone())
            }
        }
    )*};
}
clients!(RealtimeConnectEvent, RealtimeMessageEvent, RealtimeSubscribeEvent);

slots! { RealtimeConnectEvent:
    /// How long the stream may be silent.
    idle_timeout / set_idle_timeout: Duration = idle_timeout;
    /// How long the stream may last.
    max_timeout / set_max_timeout: Duration = max_timeout;
}
slots! { RealtimeMessageEvent:
    /// The name of the message: a subscription.
    name / set_name: String = name;
    /// The data of the message, usually JSON.
    data / set_data: bytes::Bytes = data;
}
slots! { RealtimeSubscribeEvent:
    /// The wanted subscriptions.
    subscriptions / set_subscriptions: Vec<String> = subscriptions;
}
slots! { FileDownloadEvent:
    /// The key of the file in the storage.
    served_path / set_served_path: String = served_path;
    /// What the client is to call it.
    served_name / set_served_name: String = served_name;
}

impl Event<event::FileDownloadEvent> {
    /// The field that holds the file.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.inner.field
    }
    /// Why there is no thumbnail although one was wanted.
    #[must_use]
    pub fn thumb_error(&self) -> Option<&str> {
        self.inner.thumb_error.as_deref()
    }
}

slots! { FileTokenEvent:
    /// The token.
    token / set_token: String = token;
}
slots! { RecordAuthEvent:
    /// The token of the login.
    token / set_token: String = token;
    /// What is answered as `meta`.
    meta / set_meta: Value = meta;
    /// `password`, `oauth2`, `otp` or empty.
    auth_method / set_auth_method: String = auth_method;
}
slots! { AuthWithPasswordEvent:
    /// What the client gave to be found by.
    identity / set_identity: String = identity;
    /// The field to look in; empty for all identity fields.
    identity_field / set_identity_field: String = identity_field;
    /// The password.
    password / set_password: String = password;
}
slots! { AuthWithOAuth2Event:
    /// The provider.
    provider_name / set_provider_name: String = provider_name;
    /// The user as the provider describes it.
    oauth2_user / set_oauth2_user: Value = oauth2_user;
    /// Data for a record that is created.
    create_data / set_create_data: Map<String, Value> = create_data;
    /// True if a record will be created.
    is_new_record / set_is_new_record: bool = is_new_record;
}
slots! { EmailChangeEvent:
    /// The new address.
    new_email / set_new_email: String = new_email;
}
slots! { RequestOtpEvent:
    /// The one-time password.
    password / set_password: String = password;
}

impl Event<event::AuthWithOtpEvent> {
    /// The record of `_otps`.
    #[must_use]
    pub fn otp(&self) -> Record {
        self.inner.otp.clone().into()
    }
}

impl Event<event::RecordsListEvent> {
    /// The records of the page.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.inner.records.get().into_iter().map(Into::into).collect()
    }
    /// Answers other records.
    pub fn set_records(&self, records: &[Record]) {
        self.inner.records.set(records.iter().map(|record| record.handle().clone()).collect());
    }
}

slots! { RecordsListEvent:
    /// The number of the page, from 1.
    page / set_page: i64 = page;
    /// Records per page.
    per_page / set_per_page: u32 = per_page;
    /// All matching records; −1 without a count.
    total_items / set_total_items: i64 = total_items;
    /// Number of pages; −1 without a count.
    total_pages / set_total_pages: i64 = total_pages;
}

impl Event<event::CollectionsListEvent> {
    /// The collections of the page.
    #[must_use]
    pub fn collections(&self) -> Vec<Collection> {
        self.inner.collections.get().iter().map(Collection::loaded).collect()
    }
    /// The number of the page, from 1.
    #[must_use]
    pub fn page(&self) -> i64 {
        self.inner.numbers[0]
    }
    /// Collections per page.
    #[must_use]
    pub fn per_page(&self) -> i64 {
        self.inner.numbers[1]
    }
    /// All matching collections; −1 without a count.
    #[must_use]
    pub fn total_items(&self) -> i64 {
        self.inner.numbers[2]
    }
    /// Number of pages; −1 without a count.
    #[must_use]
    pub fn total_pages(&self) -> i64 {
        self.inner.numbers[3]
    }
}

slots! { CollectionsImportEvent:
    /// The collections as they came.
    collections / set_collections: Vec<Map<String, Value>> = collections;
}

impl Event<event::CollectionsImportEvent> {
    /// Whether collections that are not in the list are deleted.
    #[must_use]
    pub fn delete_missing(&self) -> bool {
        self.inner.delete_missing
    }
}

slots! { BatchEvent:
    /// The items of the batch.
    batch / set_batch: Vec<event::BatchItem> = batch;
}
