//! What names are of.

/// What a name is of. One that is of several is called after the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A provider.
    Provider,
    /// A stream.
    Stream,
    /// A consumer.
    Consumer,
    /// A worker.
    Worker,
    /// A token of a subject.
    Subject,
    /// A server, a metrics endpoint, an address.
    Host,
    /// A cluster.
    Cluster,
    /// What a session of the database calls itself.
    Application,
    /// A profile.
    Profile,
    /// A label of a series, a template, metadata.
    Label,
    /// What stood quoted in a text: a database, a relation, a role.
    Quoted,
}

impl Class {
    /// Its word, which its pseudonyms begin with.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Stream => "stream",
            Self::Consumer => "consumer",
            Self::Worker => "worker",
            Self::Subject => "subject",
            Self::Host => "host",
            Self::Cluster => "cluster",
            Self::Application => "application",
            Self::Profile => "profile",
            Self::Label => "label",
            Self::Quoted => "name",
        }
    }

    /// Its word for several.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Provider => "providers",
            Self::Stream => "streams",
            Self::Consumer => "consumers",
            Self::Worker => "workers",
            Self::Subject => "tokens of subjects",
            Self::Host => "hosts",
            Self::Cluster => "clusters",
            Self::Application => "applications",
            Self::Profile => "profiles",
            Self::Label => "labels",
            Self::Quoted => "quoted names",
        }
    }
}
